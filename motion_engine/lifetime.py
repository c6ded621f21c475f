# SPDX-License-Identifier: GPL-3.0-or-later
"""When the server must end by itself: its parent is gone, or nobody has asked for anything for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psutil

POLL_SECONDS = 0.5


def watcher(pid: int) -> Callable[[], bool]:
    """A function that says whether process ``pid``, as it is now, still lives.

    A later process with the same number does not count, nor does a zombie.
    """
    try:
        process = psutil.Process(pid)
    except psutil.Error:
        return lambda: False

    def alive() -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True

    return alive


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
