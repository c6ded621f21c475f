# SPDX-License-Identifier: GPL-3.0-or-later
"""A windowed Blender on a virtual screen, driven with mouse and keyboard, watched through a file.

The command ``real-blender`` gives the Blender and the screen: ``setup``, ``run``, ``shot``, ``xdo``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SHARE = Path("/tmp/real-blender-share")
X_SOCKETS = Path("/tmp/.X11-unix")
STRIP, SIDEBAR = 20, 150
"""Pixels: a strip of tabs is wider than the first, an open sidebar wider than the second."""


def find_real_blender() -> str | None:
    """Return the command ``real-blender``: from the environment, beside the repository, or on the PATH."""
    named = os.environ.get("MOTION_PROMPT_REAL_BLENDER")
    beside = REPOSITORY.parent / "shared" / "tools" / "real-blender"
    for candidate in (named, str(beside), shutil.which("real-blender")):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    return None


def free_display() -> str:
    """Return an X display, such as ":90", that neither runs nor was left behind by a server that was killed.

    A killed server leaves its socket and its lock: ``real-blender`` would take the screen for running.
    """
    for number in range(90, 190):
        if not any(path.exists() for path in (X_SOCKETS / f"X{number}", Path(f"/tmp/.X{number}-lock"))):
            return f":{number}"
    raise RuntimeError(f"all displays from :90 to :189 are taken; remove leftovers in {X_SOCKETS}")


class BlenderWindow:
    """One Blender with settings of its own in `home`, on a virtual screen of its own.

    Parameters
    ----------
    tool : str
        The command ``real-blender``.
    home : Path
        Folder below `SHARE` for its settings, extensions and the watch file.
    """

    def __init__(self, tool: str, home: Path) -> None:
        self.tool, self.home = tool, home
        home.mkdir(parents=True, exist_ok=True)
        self.display = free_display()
        self.environment = {
            **os.environ,
            "BLENDER_USER_RESOURCES": str(home / "user"),
            "REAL_BLENDER_DISPLAY": self.display,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str, timeout: float = 300) -> str:
        """Run Blender without a window and return what it printed; AssertionError when it fails."""
        out = subprocess.run(
            [self.tool, "run", *arguments], cwd=self.home, env=self.environment, timeout=timeout,
            capture_output=True, text=True,
        )  # fmt: skip
        assert out.returncode == 0, out.stdout + out.stderr
        return out.stdout + out.stderr

    def open(self, *scripts: Path) -> None:
        """Open the window, with more scripts run at its start, and wait until it reports."""
        shutil.copy(Path(__file__).with_name("watch.py"), self.home / "watch.py")
        (self.home / "state.json").unlink(missing_ok=True)
        more = []
        for script in scripts:
            shutil.copy(script, self.home / script.name)
            more += ["--python", script.name]
        with (self.home / "blender.log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.tool, "run", "--python", "watch.py", *more, "--", str(self.home / "state.json")],
                cwd=self.home, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.wait(lambda state: "areas" in state, 120, "Blender's window")
        time.sleep(2)

    def close(self) -> None:
        """End this Blender and its virtual screen, and nothing else."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(30)
            self.process = None
        self._end_screen()

    def _end_screen(self) -> None:
        """End the virtual screen and wait until it is gone.

        A server that is still ending has its socket: the next Blender would take the screen for running
        and find no display.
        """
        number = self.display.removeprefix(":")
        lock, socket = Path(f"/tmp/.X{number}-lock"), X_SOCKETS / f"X{number}"
        for end in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(lock.read_text(encoding="ascii")), end)
            for _ in range(100):
                if not lock.exists() and not socket.exists():
                    return
                time.sleep(0.1)
        for left in (lock, socket):  # of a server that had to be killed
            left.unlink(missing_ok=True)

    def state(self) -> dict[str, Any]:
        """Return what Blender last wrote, or an empty dict before the first time."""
        with contextlib.suppress(FileNotFoundError):
            return json.loads((self.home / "state.json").read_text(encoding="utf-8"))
        return {}

    def wait(self, condition: Callable[[dict[str, Any]], Any], seconds: float, what: str) -> dict[str, Any]:
        """Wait until `condition` holds for a state written after this call began; return that state."""
        began, state = time.time(), {}
        while time.time() < began + seconds:
            assert self.process is None or self.process.poll() is None, f"Blender ended: {self.log()}"
            state = self.state()
            assert "error" not in state, state["error"]
            if state.get("time", 0) > began and condition(state):
                return state
            time.sleep(0.3)
        raise AssertionError(f"{what} did not come within {seconds:g} s: {json.dumps(state)[:3000]}")

    def log(self) -> str:
        """Return the end of what Blender printed."""
        return (self.home / "blender.log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def xdo(self, *words: str | int) -> None:
        """Move, click or type as a user would."""
        command = [self.tool, "xdo", *map(str, words)]
        subprocess.run(command, check=True, capture_output=True, env=self.environment)
        time.sleep(0.4)

    def click(self, x: int, y: int) -> None:
        """Click at a place of the screen, with time for Blender to notice where the mouse is."""
        self.xdo("mousemove", x - 6, y)
        self.xdo("mousemove", x, y)
        time.sleep(0.3)
        self.xdo("click", 1)

    def shot(self, path: Path) -> Path:
        """Save a picture of the screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([self.tool, "shot", str(path)], check=True, capture_output=True, env=self.environment)
        return path

    def region(self, kind: str) -> dict[str, Any]:
        """Return box and tab of a region of the 3D viewport in a state written from now on."""
        state = self.wait(lambda s: "areas" in s, 20, "Blender's state")
        view = next(area for area in state["areas"] if area["type"] == "VIEW_3D")
        return view["regions"][kind]

    def open_tab(self, name: str) -> dict[str, Any]:
        """Open the sidebar with N and click down its tabs until the one called `name` is in front.

        A click on the tab in front folds the sidebar to a strip of tabs, so its width counts too.
        """
        left, top, width, height = self.region("WINDOW")["box"]
        self.xdo("mousemove", left + width // 3, top + height // 2)
        region = self.region("UI")
        if region["box"][2] < STRIP:
            self.xdo("key", "n")
            self.settle()
            region = self.region("UI")
        left, top, width, height = region["box"]
        y = top + 12
        while region["tab"] != name or region["box"][2] < SIDEBAR:
            if region["tab"] != name:
                y += 30
            assert y < top + height, f"The sidebar has no tab {name!r}"
            self.click(left + width - 12, y)
            self.settle()
            region = self.region("UI")
        return region

    def type_prompt(self, text: str) -> None:
        """Open the Motion tab, type into its first field, press Enter, wait until the field has the text.

        A slow machine may draw the field after it was clicked; then Escape, and once more.
        """
        for _ in range(3):
            left, top, width, _ = self.open_tab("Motion")["box"]
            self.settle()
            self.click(left + int(width * 0.45), top + 48)
            self.settle()
            self.xdo("key", "ctrl+a")
            self.xdo("type", "--delay", 25, text)
            self.settle()
            self.xdo("key", "Return")
            self.settle()
            if self.state()["tab"].get("prompt") == text:
                return
            self.xdo("key", "Escape")
        raise AssertionError(f"The prompt field did not take {text!r}: {self.state()}")

    def settle(self) -> None:
        """Wait until Blender has gone round its loop, and so has drawn, three times."""
        for _ in range(3):
            self.wait(lambda state: state, 60, "Blender's answer")
