# SPDX-License-Identifier: GPL-3.0-or-later
"""Model bundles: a folder with a manifest, statistics and networks, checked before anything is loaded."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion_engine.bundle_check import REINSTALL as REINSTALL
from motion_engine.bundle_check import SCHEMA as SCHEMA
from motion_engine.bundle_check import adapter_names, check_files, check_shared, leans_on, read_manifest
from motion_engine.bundle_check import is_bundle_name as is_bundle_name
from motion_engine.errors import EngineError
from motion_engine.licence import allows_commercial_use

DEFAULT = "base"

TASKS = {
    "text_to_motion": "make a motion from a prompt",
    "motion_to_text": "describe a motion in words",
    "embed": "compare text and motion",
    "joint": "make a motion together with its sentence",
    "variation": "make variations of a motion",
}
"""Tasks that a bundle may offer, as the end of a sentence."""


@dataclass(frozen=True)
class BundleInfo:
    """A line of a menu: what is in a folder, and whether it can be used.

    Attributes
    ----------
    own : it lies in the user's folder, not among those that ship, and can be removed.
    leans_on : name of the bundle whose files it uses, too; empty for one that stands alone.
    """

    name: str
    path: Path
    title: str
    licence: str
    ok: bool
    problem: str = ""
    own: bool = False
    leans_on: str = ""

    @property
    def commercial(self) -> bool:
        """Whether the clips made with it may be sold."""
        return allows_commercial_use(self.licence)


@dataclass(frozen=True)
class Bundle:
    """A checked bundle.

    Attributes
    ----------
    path : its folder.
    manifest : what ``manifest.json`` says.
    other : folder of the bundle whose files it uses, too (`motion_engine.bundle_check`); None if it stands alone.
    """

    path: Path
    manifest: dict[str, Any]
    other: Path | None = None

    @property
    def name(self) -> str:
        """Short name, used in requests."""
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        """Version of the weights."""
        return str(self.manifest["version"])

    @property
    def title(self) -> str:
        """Name for menus."""
        return str(self.manifest.get("title") or self.name)

    @property
    def licence(self) -> str:
        """Licence of the weights: an SPDX identifier, or words."""
        return str(self.manifest["licence"])

    @property
    def commercial(self) -> bool:
        """Whether the clips made with it may be sold."""
        return allows_commercial_use(self.licence)

    @property
    def own(self) -> bool:
        """Whether it lies in the user's folder."""
        return self.path.parent == user_bundles_dir()

    @property
    def fps(self) -> float:
        """Frames a second that the model makes."""
        return float(self.manifest["fps"])

    @property
    def min_frames(self) -> int:
        """Shortest clip in frames."""
        return int(self.manifest["min_frames"])

    @property
    def max_frames(self) -> int:
        """Longest clip in frames."""
        return int(self.manifest["max_frames"])

    @property
    def samplers(self) -> dict[str, dict[str, Any]]:
        """Presets by sampler: steps, guidance, limits."""
        return dict(self.manifest["samplers"])

    @property
    def default_sampler(self) -> str:
        """The sampler that is used when a request names none."""
        return next(
            (name for name, preset in self.samplers.items() if preset.get("default")),
            next(iter(self.samplers)),
        )

    @property
    def control_sampler(self) -> str | None:
        """The sampler that the control network works with; None where the bundle obeys no controls."""
        return "motionlcm" if self.can_control else None

    @property
    def variation_sampler(self) -> str:
        """The sampler that goes on from the latents of a motion when a request names none.

        A strength is a noise level to start from: MotionLCM has ten of them, EMDM four, so that several strengths would
        give one and the same motion.
        """
        return "motionlcm" if "motionlcm" in self.samplers else self.default_sampler

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it can do: ``text_to_motion``, ``motion_to_text``, ..."""
        return tuple(self.manifest["tasks"])

    def require(self, task: str) -> None:
        """Refuse a bundle that does not offer a task of `TASKS`.

        Raises
        ------
        EngineError
            ``not_supported``.
        """
        if task not in self.tasks:
            raise EngineError(
                "not_supported",
                f"The bundle {self.name} cannot {TASKS[task]}.",
                f"Choose a bundle whose tasks name {task}.",
            )

    @property
    def can_control(self) -> bool:
        """Whether it has a control network of the kind that `motion_engine.control_sampling` runs."""
        return "control" in self.manifest["tasks"] and "control" in self.manifest.get("networks", {})

    @property
    def controls_frames(self) -> bool:
        """Whether control goes on in decoded frames (`motion_engine.runtime.torch.frame_control`)."""
        return self.can_control and "control_frames" in self.manifest["networks"]

    @property
    def files(self) -> frozenset[str]:
        """Names of its files, those that it shares with another bundle included."""
        return frozenset(self.manifest["files"]) | frozenset(self.manifest.get("shared", {}).get("files", ()))

    def file(self, name: str) -> Path:
        """Where one of `files` lies: in its own folder, else in that of the bundle that it leans on.

        Raises
        ------
        EngineError
            ``broken_bundle``, for any other name: no file is read whose hash the manifest does not hold.
        """
        if name in self.manifest["files"]:
            return self.path / name
        if self.other is None or name not in self.files:
            raise EngineError("broken_bundle", f"The bundle {self.name} has no file {name}.", REINSTALL)
        return self.other / name

    def adapters(self, network: str) -> list[Path]:
        """The files that say how the bundle changes the weights of a network; none where it does not."""
        return [self.file(name) for name in adapter_names(self.manifest, network)]

    @property
    def least_fit(self) -> float | None:
        """Similarity in the joint space under which a take is far from its sentence; None where nothing tells it."""
        if "embed" not in self.tasks:
            return None
        least = self.manifest["captions"].get("least_fit")
        return None if least is None else float(least)

    @cached_property
    def sha256(self) -> str:
        """Hash of the manifest, which holds the hashes of all files, shared ones too: names the weights exactly."""
        return hashlib.sha256((self.path / "manifest.json").read_bytes()).hexdigest()

    @cached_property
    def stats(self) -> dict[str, NDArray[np.float32]]:
        """``mean``, ``std`` (263,) of features and ``latent_mean``, ``latent_std`` (C,)."""
        with np.load(self.file("stats.npz"), allow_pickle=False) as data:
            return {name: data[name].astype(np.float32) for name in data.files}


def default_bundles_dir() -> Path:
    """The bundles that ship: ``MOTION_PROMPT_BUNDLES``, else in the package, else ``assets/models`` of a checkout."""
    override = os.environ.get("MOTION_PROMPT_BUNDLES")
    return Path(override) if override else _assets() / "models"


def user_bundles_dir() -> Path:
    """The user's own bundles: ``MOTION_PROMPT_USER_BUNDLES``, else a folder among the user's application data."""
    override = os.environ.get("MOTION_PROMPT_USER_BUNDLES")
    if override:
        return Path(override)
    from platformdirs import user_data_path

    return user_data_path("motion-prompt", appauthor=False) / "models"


def text_encoder_dir(name: str) -> Path:
    """Folder of a shipped text encoder.

    Raises
    ------
    EngineError
        If it is not there.
    """
    folder = _assets() / "text_encoders" / name
    if not (folder / "manifest.json").exists():
        raise EngineError("missing_text_encoder", f"The text encoder {name} is not installed.", REINSTALL)
    return folder


def _assets() -> Path:
    package = Path(__file__).resolve().parent
    installed = package / "_assets"
    return installed if installed.is_dir() else package.parent / "assets"


def load(path: str | Path, beside: Path | None = None) -> Bundle:
    """Read and check a bundle folder: schema, required entries, and the hash of every file, shared ones too.

    Parameters
    ----------
    beside : folder in which a bundle that it leans on is looked for first; when None, the one that ``path`` lies in.
        The bundles that ship come next.

    Raises
    ------
    EngineError
        With a sentence on what is wrong and what to do.
    """
    path = Path(path)
    manifest = read_manifest(path)
    check_files(path, manifest)
    other = check_shared(path, manifest, (beside or path.resolve().parent, default_bundles_dir()))
    return Bundle(path, manifest, other)


def list_bundles(directory: Path | None = None) -> list[BundleInfo]:
    """Every bundle of a folder; when None, those that ship, the default bundle ``base`` first, then the user's own.

    Of several with one name only the first can be used, so that an own bundle never takes a shipped one's place.
    """
    if directory is not None:
        return _infos(directory, own=False)
    shipped = _infos(default_bundles_dir(), own=False)
    taken = {info.name.casefold(): info for info in reversed(shipped)}
    infos = list(shipped)
    for info in _infos(user_bundles_dir(), own=True):
        other = taken.get(info.name.casefold())
        if info.ok and other is not None:
            where = str(other.path) if other.own else "Motion Prompt itself"
            problem = f"{where} has a bundle named {other.name!r} already. Remove one of the two."
            info = replace(info, ok=False, problem=problem)
        elif info.ok:
            taken[info.name.casefold()] = info
        infos.append(info)
    return sorted(infos, key=lambda info: (not info.ok, info.own))


def _infos(directory: Path, own: bool) -> list[BundleInfo]:
    """What the subfolders of a folder hold: the default first, then those for any use, then the others."""
    found = []
    for manifest_file in sorted(directory.glob("*/manifest.json")) if directory.is_dir() else []:
        folder = manifest_file.parent
        other = leans_on(folder)
        try:
            bundle = load(folder)
            found.append(BundleInfo(bundle.name, folder, bundle.title, bundle.licence, True, "", own, other))
        except EngineError as error:
            found.append(BundleInfo(folder.name, folder, folder.name, "", False, str(error), own, other))
    return sorted(found, key=lambda info: (not info.ok, info.name != DEFAULT, not info.commercial, info.name))


def find(name: str | Path | None, directory: Path | None = None) -> Bundle:
    """A bundle by name or folder; the first usable one that ships when ``name`` is None.

    Raises
    ------
    EngineError
        If there is none of that name; the sentence lists those that there are.
    """
    if name is not None and (Path(name) / "manifest.json").exists():
        return load(name)
    shipped = directory or default_bundles_dir()
    folder = shipped / (name or DEFAULT)  # looked at first, so that no other has to be checked
    if folder.parent == shipped and (folder / "manifest.json").exists():
        try:
            return load(folder)
        except EngineError:
            if name is not None:
                raise
    known = list_bundles(directory)
    for info in known:
        if info.ok and (info.name == str(name) if name is not None else not info.own):
            return load(info.path)
    if name is None:
        problem = next((info.problem for info in known if info.problem), f"{shipped} holds no bundle.")
        raise EngineError("no_bundle", problem, REINSTALL)
    broken = next((info for info in known if info.name == str(name)), None)
    if broken is not None:
        raise EngineError("broken_bundle", broken.problem)
    names = ", ".join(info.name for info in known) or "none"
    raise EngineError("unknown_bundle", f"There is no bundle {str(name)!r}.", f"Installed: {names}.")


def find_for(task: str, name: str | Path | None) -> Bundle:
    """A bundle that offers a task of `TASKS`: the one of that name; for None the default, or the first that does.

    Raises
    ------
    EngineError
        As for `find`, or ``not_supported``.
    """
    chosen = find(name)
    if name is None and task not in chosen.tasks:
        for info in list_bundles():
            if info.ok and task in (other := load(info.path)).tasks:
                return other
    chosen.require(task)
    return chosen
