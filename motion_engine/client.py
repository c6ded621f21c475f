# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the local HTTP protocol: start an engine process, ask it, read its stream."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

from motion_engine.errors import EngineError

START_TIMEOUT = 60.0


class EngineProcess:
    """A running ``motion-prompt serve``. Leaving the ``with`` block ends it.

    Attributes
    ----------
    port, token, pid, version : as the engine announced them.
    process : the child process.
    """

    def __init__(self, process: subprocess.Popen[str], hello: dict[str, Any]) -> None:
        self.process = process
        self.port: int = hello["port"]
        self.token: str = hello["token"]
        self.pid: int = hello["pid"]
        self.version: str = hello["version"]

    def connect(self, timeout: float = 60.0) -> http.client.HTTPConnection:
        """A fresh connection to the engine; proxies of the environment play no part."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Any = None
    ) -> http.client.HTTPResponse:
        """Send a call with the token. ``body`` becomes JSON."""
        data = None if body is None else json.dumps(body).encode("utf-8")
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, path, data, headers)
        return connection.getresponse()

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """A call with a single JSON reply; EngineError when the engine refuses it."""
        connection = self.connect()
        try:
            response = self.request(connection, method, path, body)
            return _checked(response.status, json.loads(response.read()))
        finally:
            connection.close()

    def generate(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of ``POST /v1/generate``; see `stream`."""
        return self.stream("/v1/generate", body)

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of a call. Closing the iterator cancels the job.

        Raises
        ------
        EngineError
            The engine refuses the request, or ``engine_died`` when the stream ends without a last event.
        """
        connection = self.connect()
        try:
            response = self.request(connection, "POST", path, body)
            if response.status != 200:
                _checked(response.status, json.loads(response.read()))
            last = None
            for line in response:
                event = json.loads(line)
                last = event["event"]
                yield event
            if last not in ("done", "error", "cancelled"):
                raise _died()
        except (http.client.HTTPException, ConnectionError, json.JSONDecodeError):
            raise _died() from None
        finally:
            connection.close()

    def caption(
        self,
        clips: Sequence[dict[str, Any]],
        count: int = 1,
        on_event: Callable[[dict[str, Any]], None] | None = None,
        bundle: str | None = None,
    ) -> list[dict[str, Any]]:
        """Describe clips, each as `motion_engine.wire.encode_clip` makes them.

        Parameters
        ----------
        count : sentences of each clip.
        on_event : called with each event as it comes; what it raises cancels the job.

        Returns
        -------
        The ``caption`` and ``clip_error`` events.

        Raises
        ------
        EngineError
            The engine refuses, or the job fails or is cancelled.
        """
        found = []
        for event in self.stream("/v1/caption", {"clips": list(clips), "count": count, "bundle": bundle}):
            if on_event is not None:
                on_event(event)
            if event["event"] == "error":
                raise EngineError(event["code"], event["message"], event["fix"])
            if event["event"] == "cancelled":
                raise EngineError("cancelled", "The request was cancelled.", "Send it again.")
            if event["event"] in ("caption", "clip_error"):
                found.append(event)
        return found

    def embed(
        self,
        texts: Sequence[str] = (),
        clips: Sequence[dict[str, Any]] = (),
        bundle: str | None = None,
    ) -> dict[str, Any]:
        """The reply of ``POST /v1/embed``; its arrays are read by `motion_engine.wire.decode_array`."""
        return self.call("POST", "/v1/embed", {"texts": list(texts), "clips": list(clips), "bundle": bundle})

    def wait_until_ready(self, timeout: float = START_TIMEOUT) -> dict[str, Any]:
        """Ask for the health until the model is loaded; EngineError when that fails."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            health = self.call("GET", "/v1/health")
            if health["status"] == "ready":
                return health
            if health["status"] == "error":
                raise EngineError(**health["error"])
            time.sleep(0.02)
        raise EngineError(
            "start_timeout", f"The engine was not ready after {timeout:g} s.", "Run the doctor."
        )

    def close(self) -> None:
        """Ask the engine to end, and end it if it does not."""
        try:
            self.call("POST", "/v1/shutdown")
            self.process.wait(5)
        except (OSError, http.client.HTTPException, EngineError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> EngineProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_engine(options: Sequence[str] = (), environment: dict[str, str] | None = None) -> EngineProcess:
    """Start ``motion-prompt serve`` with this Python and wait for the line in which it announces itself.

    Raises
    ------
    EngineError
        ``engine_start`` when it ends before that.
    """
    command = [sys.executable, "-m", "motion_engine", "serve", "--parent-pid", str(os.getpid()), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        return EngineProcess(process, json.loads(line))
    except (ValueError, KeyError):
        process.kill()
        code = process.wait()
        raise EngineError(
            "engine_start", f"The engine ended at once (exit code {code}).", "Run 'motion-prompt doctor'."
        ) from None


def _checked(status: int, reply: dict[str, Any]) -> dict[str, Any]:
    if status >= 400:
        raise EngineError(**reply["error"])
    return reply


def _died() -> EngineError:
    return EngineError("engine_died", "The engine ended in the middle of its work.", "Start it again.")
