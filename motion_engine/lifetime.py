# SPDX-License-Identifier: GPL-3.0-or-later
"""When the server must end by itself: its parent is gone, or nobody has asked for anything for a while."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.5


def _linux_start_time(pid: int) -> str | None:
    """Start time of a live process from /proc, None when it is gone or a zombie."""
    try:
        # the name in field 2 may hold spaces and brackets; what follows the last bracket is regular
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _posix_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def watcher(pid: int) -> Callable[[], bool]:
    """A function that says whether process ``pid``, as it is now, still lives.

    A later process with the same number does not count, nor does a zombie.
    """
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        kernel.WaitForSingleObject.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
        synchronize, still_running = 0x00100000, 0x102
        handle = kernel.OpenProcess(synchronize, False, pid)
        return lambda: bool(handle) and kernel.WaitForSingleObject(handle, 0) == still_running
    if sys.platform.startswith("linux"):
        start = _linux_start_time(pid)
        return lambda: start is not None and _linux_start_time(pid) == start
    if os.getppid() == pid:
        return lambda: os.getppid() == pid
    return lambda: _posix_exists(pid)


class Lifetime:
    """A thread that calls ``stop`` when the parent has ended or the server has been idle for too long.

    Parameters
    ----------
    stop : callable
        Called once, from the watching thread, with the reason in words.
    idle_seconds : callable
        How long nothing has been asked or computed, in seconds; 0 while something is.
    parent_pid : int or None
        Process to follow; None for no parent.
    idle_timeout : float
        Seconds; 0 means never.
    """

    def __init__(
        self,
        stop: Callable[[str], None],
        idle_seconds: Callable[[], float],
        parent_pid: int | None,
        idle_timeout: float,
    ) -> None:
        self._stop = stop
        self._idle_seconds = idle_seconds
        self._parent_alive = watcher(parent_pid) if parent_pid else lambda: True
        self._idle_timeout = idle_timeout
        threading.Thread(target=self._watch, name="lifetime", daemon=True).start()

    def _watch(self) -> None:
        while True:
            if not self._parent_alive():
                self._stop("the parent process has ended")
                return
            if self._idle_timeout and self._idle_seconds() >= self._idle_timeout:
                self._stop(f"idle for {self._idle_timeout:g} s")
                return
            time.sleep(POLL_SECONDS)
