#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the extension zips that Blender installs: one per platform and Python version.

    python build_addon.py                                   for this machine, Blender 4.2 to 5.0 (Python 3.11)
    python build_addon.py --platform windows-x64 --python 3.13
    python build_addon.py --all                             every zip of a release
    python build_addon.py --models                          only the packs of the non-commercial models

A zip holds the add-on, the engine with its default bundle as a wheel, and the wheels the engine needs;
installing it touches no network. The same sources and the same `assets/addon_wheels.txt` give the same bytes.
Needs Python 3.11 or newer with pip, and the package index for wheels not yet in ``build/``.
"""

from __future__ import annotations

import argparse
import os
import platform as host
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

import build_models

try:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name, parse_wheel_filename
except ImportError:  # a bare Python has pip's own copy
    from pip._vendor.packaging.requirements import Requirement  # type: ignore[assignment]
    from pip._vendor.packaging.utils import (  # type: ignore[assignment]
        canonicalize_name,
        parse_wheel_filename,
    )

ROOT = Path(__file__).resolve().parent
ADDON = ROOT / "blender_addon"
BUILD = ROOT / "build"
PINS = ROOT / "assets" / "addon_wheels.txt"
LIMIT_MB = 150
TIMESTAMP = (2026, 1, 1, 0, 0, 0)  # in every zip entry, so that equal content gives equal bytes

# Not taken along: Blender ships numpy; the others are named by onnxruntime, tokenizers and tqdm for
# functions (model hub, tools) that the engine never calls; pygltflib writes .glb on the command line only.
LEFT_OUT = {
    "numpy", "huggingface-hub", "flatbuffers", "packaging", "protobuf", "sympy", "coloredlogs", "pygltflib",
}  # fmt: skip

# Blender's platform name: (pip platform tags, newest first; sys_platform; platform_system; platform_machine)
PLATFORMS: dict[str, tuple[list[str], str, str, str]] = {
    "linux-x64": (
        ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"],
        "linux", "Linux", "x86_64",
    ),
    "windows-x64": (["win_amd64"], "win32", "Windows", "AMD64"),
    "macos-arm64": ([f"macosx_{v}_0_arm64" for v in (14, 13, 12, 11)], "darwin", "Darwin", "arm64"),
    "macos-x64": (
        [*(f"macosx_{v}_0_x86_64" for v in (13, 12, 11)), "macosx_10_12_x86_64", "macosx_10_9_x86_64"],
        "darwin", "Darwin", "x86_64",
    ),
}  # fmt: skip

# Python: the Blenders that carry it (from, and the first one that no longer does)
PYTHONS = {"3.11": ("4.2.0", "5.1.0"), "3.13": ("5.1.0", None), "3.14": ("5.2.0", None)}
# Blender 4.5 is the last for Intel Macs, and onnxruntime has no newer wheels for them either.
IMPOSSIBLE = {("macos-x64", "3.13"), ("macos-x64", "3.14")}


class BuildError(Exception):
    """The build cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Target:
    """One zip: a platform in Blender's words and a Python version such as ``3.11``."""

    platform: str
    python: str

    @property
    def name(self) -> str:
        """Short name for folders and files: ``linux-x64-py311``."""
        return f"{self.platform}-py{self.python.replace('.', '')}"

    def markers(self) -> dict[str, str]:
        """Return the environment in which requirement markers are decided, whatever runs the build."""
        _, sys_platform, system, machine = PLATFORMS[self.platform]
        return {
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
            "sys_platform": sys_platform,
            "platform_system": system,
            "platform_machine": machine,
            "os_name": "nt" if sys_platform == "win32" else "posix",
            "platform_python_implementation": "CPython",
            "implementation_name": "cpython",
            "extra": "",
        }


def say(text: str) -> None:
    """Print a line of progress at once."""
    print(text, flush=True)


def pip(*arguments: str) -> None:
    """Run pip quietly; raise BuildError with what it said if it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600"}
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env)
    if out.returncode:
        lines = [x for x in (out.stdout + out.stderr).splitlines() if x and not x.startswith("WARNING")]
        raise BuildError("pip failed: " + "\n  ".join(lines[-6:]))


def project() -> dict:
    """Return the [project] table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def build_engine_wheel() -> Path:
    """Build the wheel of this project, bundles included; return its path.

    Raises
    ------
    BuildError
        If the build fails, or the wheel carries no model bundle, or one that must not be sold.
    """
    folder = BUILD / "engine"
    shutil.rmtree(folder, ignore_errors=True)
    pip("wheel", "--no-deps", "--wheel-dir", str(folder), ".")
    wheel = next(folder.glob("motion_prompt-*.whl"))
    with zipfile.ZipFile(wheel) as content:
        models = [n for n in content.namelist() if re.search(r"/_assets/models[^/]*/.*manifest\.json$", n)]
        if not models:
            raise BuildError("There is no model bundle in assets/models, so the add-on could not work.")
        try:
            build_models.check_shipped({name: content.read(name) for name in models})
        except build_models.PackError as error:
            raise BuildError(str(error)) from None
    return wheel


def pins(target: Target) -> dict[str, str]:
    """Return package name -> version specifier from `assets/addon_wheels.txt`, decided for `target`."""
    chosen: dict[str, str] = {}
    for line in PINS.read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if text:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(target.markers()):
                chosen[canonicalize_name(requirement.name)] = str(requirement.specifier)
    return chosen


def fetch(requirement: Requirement, pinned: dict[str, str], target: Target, folder: Path) -> Path:
    """Return a wheel for `requirement` that fits `target`, downloaded unless it is in `folder` already."""
    name = canonicalize_name(requirement.name)
    wanted = requirement.specifier & Requirement(f"{name}{pinned.get(name, '')}").specifier

    def present() -> Path | None:
        for wheel in sorted(folder.glob("*.whl"), reverse=True):
            wheel_name, version, _, _ = parse_wheel_filename(wheel.name)
            if wheel_name == name and wanted.contains(version, prereleases=True):
                return wheel
        return None

    found = present()
    if found is None:
        tags = [part for tag in PLATFORMS[target.platform][0] for part in ("--platform", tag)]
        pip(
            "download", "--no-deps", "--only-binary=:all:", "--implementation", "cp",
            "--python-version", target.python, *tags, "--dest", str(folder), f"{name}{wanted}",
        )  # fmt: skip
        found = present()
    if found is None:
        raise BuildError(f"pip brought no wheel of {name}{wanted} for {target.name}.")
    return found


def wheel_requirements(wheel: Path) -> list[Requirement]:
    """Return what a wheel's metadata says that it needs."""
    with zipfile.ZipFile(wheel) as content:
        name = next(n for n in content.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        headers = HeaderParser().parsestr(content.read(name).decode("utf-8"))
    return [Requirement(text) for text in headers.get_all("Requires-Dist") or []]


def gather_wheels(target: Target) -> list[Path]:
    """Return all wheels the engine needs on `target`, walking their metadata with the target's markers.

    Raises
    ------
    BuildError
        If a wheel is missing on the index or two packages want different versions of a third.
    """
    folder = BUILD / "wheels" / target.name
    folder.mkdir(parents=True, exist_ok=True)
    pinned = pins(target)
    queue = [Requirement(text) for text in project()["dependencies"]]
    chosen: dict[str, Path] = {}
    while queue:
        requirement = queue.pop(0)
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if name in LEFT_OUT or (marker is not None and not marker.evaluate(target.markers())):
            continue
        if name in chosen:
            version = parse_wheel_filename(chosen[name].name)[1]
            if not requirement.specifier.contains(version, prereleases=True):
                raise BuildError(f"{requirement} is wanted, but {chosen[name].name} was chosen before.")
            continue
        chosen[name] = fetch(requirement, pinned, target, folder)
        queue.extend(wheel_requirements(chosen[name]))
    return sorted(chosen.values())


def manifest(target: Target, wheels: list[Path]) -> str:
    """Return the text of blender_manifest.toml with platform, Blender versions and wheels of `target`."""
    text = (ADDON / "blender_manifest.toml").read_text(encoding="utf-8")
    least, below = PYTHONS[target.python]
    text = re.sub(r'^blender_version_min = ".*"$', f'blender_version_min = "{least}"', text, flags=re.M)
    lines = [f'blender_version_max = "{below}"'] if below else []
    lines.append(f'platforms = ["{target.platform}"]')
    lines.append("wheels = [")
    lines += [f'  "./wheels/{wheel.name}",' for wheel in wheels]
    lines.append("]")
    added = "\n".join(lines) + "\n"
    table = re.search(r"^\[", text, flags=re.M)
    at = table.start() if table else len(text)
    text = re.sub(r"^# build_addon\.py writes.*\n+", "", text[:at], flags=re.M) + added + "\n" + text[at:]
    tomllib.loads(text)
    return text


def write_zip(out: Path, target: Target, wheels: list[Path]) -> None:
    """Write the extension zip: under a temporary name first, renamed when it is complete."""
    partial = out.with_name(out.name + ".part")
    entries: dict[str, bytes | Path] = {"blender_manifest.toml": manifest(target, wheels).encode()}
    entries["LICENSE"] = ROOT / "LICENSE"
    for path in sorted(ADDON.rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and path.name != "blender_manifest.toml":
            entries[path.relative_to(ADDON).as_posix()] = path
    for wheel in wheels:
        entries[f"wheels/{wheel.name}"] = wheel
    with zipfile.ZipFile(partial, "w") as archive:
        for name, content in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, TIMESTAMP)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content if isinstance(content, bytes) else content.read_bytes())
    partial.replace(out)


def find_validator() -> list[str] | None:
    """Return the command that validates an extension with Blender's own code, or None.

    That is a Blender on the PATH, or ``bl_pkg/cli/blender_ext.py`` of a bpy package: of this Python or of
    one of the ``.venv*`` folders beside this file. No Blender is started for the latter.
    """
    scripts = [Path(p) for p in sys.path if p] + sorted(ROOT.glob(".venv*/lib/python*/site-packages"))
    scripts += sorted(ROOT.glob(".venv*/Lib/site-packages"))
    found = sorted(
        {f for s in scripts for f in s.glob("bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py")}
    )
    if found:
        return [sys.executable, str(max(found, key=lambda f: f.parts[-6])), "validate"]
    blender = shutil.which("blender")
    return [blender, "--command", "extension", "validate"] if blender else None


def validate(out: Path) -> str:
    """Validate a zip with Blender's own code; return a word on the result or raise BuildError."""
    command = find_validator()
    if command is None:
        return "not validated (no Blender and no bpy package here)"
    result = subprocess.run([*command, str(out)], capture_output=True, text=True, cwd=out.parent)
    if result.returncode:
        raise BuildError(f"Blender refuses {out.name}: {(result.stdout + result.stderr).strip()}")
    return "valid"


def build(target: Target, engine: Path, out_folder: Path) -> Path:
    """Build, validate and measure one zip; return its path."""
    say(f"{target.name}: gathering wheels")
    wheels = sorted([*gather_wheels(target), engine], key=lambda w: w.name.lower())
    out = out_folder / f"motion_prompt-{project_version(engine)}-{target.name}.zip"
    write_zip(out, target, wheels)
    size = out.stat().st_size / 1e6
    say(f"{target.name}: {out} {size:.1f} MB, {len(wheels)} wheels, {validate(out)}")
    if size > LIMIT_MB:
        raise BuildError(f"{out.name} has {size:.1f} MB; the limit is {LIMIT_MB} MB.")
    return out


def build_packs(out_folder: Path) -> None:
    """Write and measure the packs of the non-commercial models; BuildError for a damaged one."""
    try:
        packs = build_models.write_packs(out_folder)
    except build_models.PackError as error:
        raise BuildError(str(error)) from None
    for pack in packs:
        say(f"model: {pack} {pack.stat().st_size / 1e6:.1f} MB")
    if not packs:
        say(f"There is no model in {build_models.NON_COMMERCIAL}, so no pack was written.")


def project_version(engine: Path) -> str:
    """Return the version in the engine wheel's name; the add-on must carry the same."""
    version = str(parse_wheel_filename(engine.name)[1])
    addon = tomllib.loads((ADDON / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
    if version != addon:
        raise BuildError(f"The engine is {version} but blender_addon/blender_manifest.toml says {addon}.")
    return version


def this_platform() -> str:
    """Return Blender's name of the platform this runs on."""
    arm = host.machine().lower() in ("arm64", "aarch64")
    names = {"Linux": "linux-x64", "Windows": "windows-x64", "Darwin": "macos-arm64" if arm else "macos-x64"}
    return names.get(host.system(), "linux-x64")


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and build."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--platform", choices=sorted(PLATFORMS), default=this_platform())
    parser.add_argument("--python", choices=sorted(PYTHONS), default="3.11", help="Python inside the Blender")
    parser.add_argument("--all", action="store_true", help="every platform and Python version")
    parser.add_argument("--models", action="store_true", help="only the packs of the non-commercial models")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zips")
    options = parser.parse_args(arguments)
    targets = [Target(options.platform, options.python)]
    if options.all:
        targets = [Target(p, v) for p in PLATFORMS for v in PYTHONS if (p, v) not in IMPOSSIBLE]
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        if options.models or options.all:
            build_packs(options.out.resolve())
        if options.models:
            return 0
        if any((t.platform, t.python) in IMPOSSIBLE for t in targets):
            raise BuildError("Intel Macs run Blender up to 4.5, which has Python 3.11: build that one.")
        say("building the engine's wheel")
        engine = build_engine_wheel()
        with ThreadPoolExecutor(max_workers=3) as pool:
            list(pool.map(gather_wheels, targets))
        for target in targets:
            build(target, engine, options.out.resolve())
    except BuildError as error:
        say(f"FAILED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
