# SPDX-License-Identifier: GPL-3.0-or-later
"""One engine process: start it, learn its address, notice its death, end it."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .launch import Launch

START_SECONDS = 90.0


@dataclass(frozen=True)
class Address:
    """Where the engine listens, and the token that opens it."""

    port: int
    token: str


class EngineStartError(Exception):
    """The engine did not come up; the message is for the user."""


class EngineProcess:
    """A started engine.

    Parameters
    ----------
    launch : command line and environment.
    log : file that receives its standard error.
    """

    def __init__(self, launch: Launch, log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        try:
            with log.open("wb") as errors:
                self._process = subprocess.Popen(
                    launch.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                    env=launch.environment, creationflags=flags,
                )  # fmt: skip
        except OSError as error:
            raise EngineStartError(
                f"The engine could not be started with {launch.command[0]}: {error}."
            ) from None
        self.address: Address | None = None
        self._first_line: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="motion-prompt-engine-output", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with stream:
            self._first_line.put(stream.readline())
            for _ in stream:  # never let the pipe fill up
                pass

    def wait_until_listening(self, is_cancelled: Callable[[], bool]) -> Address | None:
        """The engine's address, or None when cancelled meanwhile.

        Raises
        ------
        EngineStartError
            If it ends, says something else, or takes longer than 90 seconds.
        """
        deadline = time.monotonic() + START_SECONDS
        while self.address is None:
            if is_cancelled():
                return None
            try:
                line = self._first_line.get(timeout=0.05)
            except queue.Empty:
                if time.monotonic() > deadline:
                    self.stop()
                    raise EngineStartError(
                        f"The engine was not ready after {START_SECONDS:.0f} seconds."
                    ) from None
                continue
            try:
                hello = json.loads(line)
                self.address = Address(int(hello["port"]), str(hello["token"]))
            except (ValueError, KeyError, TypeError):
                self._end(2.0)
                raise EngineStartError(f"The engine did not start: {self.last_words()}") from None
        return self.address

    def exit_code(self) -> int | None:
        """None while it lives."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """Exit code, waiting for at most so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def last_words(self) -> str:
        """The last line of its log, or its exit code."""
        try:
            text = self.log.read_bytes()[-4000:].decode("utf-8", errors="replace")
        except OSError:
            text = ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-1][:300]
        return f"it ended with {describe_exit(self.wait(1.0))}."

    def stop(self) -> None:
        """End it, gently first."""
        if self._process.poll() is None:
            self._process.terminate()
        self._end(1.5)

    def _end(self, patience: float) -> None:
        if self.wait(patience) is None:
            self._process.kill()
            self.wait(5.0)


def describe_exit(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "no exit code"
    if code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            return f"signal {name}" + (", as when memory runs out" if name == "SIGKILL" else "")
    return f"exit code {code}"
