# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m demo "someone waves with the right hand"``: the whole road from a prompt to an animated .blend.

The engine makes the clip in this Python. The .blend and its previews are made by Blender: the ``bpy`` package
of this Python or, where there is none, an installed Blender. Where there is neither, a sketch of the poses is
drawn and the missing part is named.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from motion_engine import formats
from motion_engine.blender_process import script_commands
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import EngineError

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PROMPT = "someone waves with the right hand"
LIBRARIES_HINT = (
    "A library of the system is missing. On Debian and Ubuntu: sudo apt install libx11-6 libxrender1 "
    "libxfixes3 libxi6 libxkbcommon0 libsm6 libice6 libgl1 libegl1, then run the same command again."
)


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)


def file_name(prompt: str) -> str:
    """Return `prompt` as a short name for files: lower case words joined by hyphens."""
    words = re.sub(r"[^\w]+", "-", prompt.lower()).strip("-")
    return words[:60].rstrip("-") or "motion"


def animate(command: list[str], clip: Path, folder: Path, moving: bool) -> bool:
    """Run `demo/animate.py` in a process of its own, with its progress shown; say whether it succeeded."""
    full = [*command, "--", str(clip), str(folder), *(["--clip"] if moving else [])]
    log = folder / "blender.log"
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            full, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        assert process.stdout is not None
        for line in process.stdout:
            out.write(line)
            if line.startswith("demo: "):
                say("  " + line[len("demo: ") :].rstrip())
        code = process.wait()
    made = (folder / f"{clip.stem}.blend").exists() and (folder / f"{clip.stem}.png").exists()
    if code and not made:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        say("  Blender stopped with an error:")
        for line in lines[-8:]:
            say("    " + line)
        if any("cannot open shared object" in line for line in lines):
            say("  " + LIBRARIES_HINT)
        return False
    log.unlink()
    return True


def main() -> int:
    """Generate, save, animate; say where everything is."""
    parser = argparse.ArgumentParser(prog="run.py", description="Prompt to animated .blend and preview.")
    parser.add_argument("prompt", nargs="?", default=DEFAULT_PROMPT)
    parser.add_argument("--duration", type=float, default=4.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0, help="another number, another take")
    parser.add_argument("--out", type=Path, help="folder for the files (out/<prompt> unless told)")
    parser.add_argument("--no-clip", action="store_true", help="no moving preview")
    options = parser.parse_args()

    name = file_name(options.prompt)
    folder = (options.out or ROOT / "out" / name).resolve()
    say(f'\n"{options.prompt}", {options.duration:g} s, seed {options.seed}')
    try:
        engine = Engine.load()
        request = GenerateRequest(prompt=options.prompt, duration=options.duration, seed=options.seed)
        motion = engine.generate(request)[0]
    except EngineError as error:
        say(f"  {error.message} {error.fix}")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    clip = folder / f"{name}.npz"
    for suffix in (".npz", ".bvh", ".glb"):
        formats.save(motion, clip.with_suffix(suffix))
    say(f"  generated {motion.n_frames} frames with the bundle {engine.bundle.name}")
    for suffix in (".blend", ".png", ".mp4"):
        clip.with_suffix(suffix).unlink(missing_ok=True)

    done = any(
        animate(command, clip, folder, not options.no_clip)
        for command in script_commands(ROOT / "demo" / "animate.py")
    )
    if not done:
        from demo.sketch import draw_sheet

        draw_sheet(motion, clip.with_suffix(".png"))
    say("\nHere they are:")
    for suffix, what in (
        (".blend", "the animated character: open it in Blender and press Space"),
        (".png", "preview: poses of the clip, left to right"),
        (".mp4", "preview: the clip, moving"),
        (".bvh", "for other animation programs"),
        (".glb", "for game engines and the web"),
        (".npz", "AMASS layout, for Python"),
    ):
        path = clip.with_suffix(suffix)
        if path.exists():
            say(f"  {path}\n      {what}")
    if not done:
        say("\nLeft out: the .blend and the rendered preview, as no Blender could be used here.")
        say("To get them, install Python 3.11 (python.org) or Blender (blender.org) and run this again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
