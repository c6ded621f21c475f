# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's HTTP protocol from the client's side, with the standard library only."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

from .process import Address

CONNECT_SECONDS = 5.0
COMPUTE_SECONDS = 120.0
"""How long a call may take that runs networks over a handful of clips."""


class ReplyError(Exception):
    """The engine refused: its code, its sentence and what to do."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code, self.message, self.fix = code, message, fix


class Stream:
    """One ``POST`` that is answered by events; `close` may be called from another thread."""

    def __init__(self, address: Address, body: dict[str, Any], path: str = "/v1/generate") -> None:
        self._lock = threading.Lock()
        self._connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=CONNECT_SECONDS)
        self._connection.connect()
        self._socket: socket.socket = self._connection.sock
        self._socket.settimeout(None)  # a job may wait in the queue for long
        self._connection.request(
            "POST", path, json.dumps(body).encode("utf-8"),
            {"Authorization": f"Bearer {address.token}", "Content-Type": "application/json"},
        )  # fmt: skip

    def events(self) -> Iterator[dict[str, Any]]:
        """The events as they come.

        Raises
        ------
        ReplyError
            If the request is refused.
        OSError, http.client.HTTPException
            If the connection breaks.
        """
        reply = self._connection.getresponse()
        if reply.status != 200:
            raise _refusal(reply.status, reply.read())
        while True:
            line = reply.readline()
            if not line:
                return
            yield json.loads(line)

    def close(self) -> None:
        """Break the connection, also under a reader that waits."""
        with self._lock, contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._connection.close()


def call(
    address: Address,
    method: str,
    path: str,
    timeout: float = CONNECT_SECONDS,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A call with one answer.

    Raises
    ------
    ReplyError
        If it is refused.
    OSError, http.client.HTTPException
        If nobody answers.
    """
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=timeout)
    try:
        content = None if body is None else json.dumps(body).encode("utf-8")
        connection.request(method, path, content, {"Authorization": f"Bearer {address.token}"})
        reply = connection.getresponse()
        content = reply.read()
    finally:
        connection.close()
    if reply.status != 200:
        raise _refusal(reply.status, content)
    value: dict[str, Any] = json.loads(content)
    return value


def caption(address: Address, body: dict[str, Any]) -> Stream:
    """Sentences for the ``clips`` of a body, as a stream of ``caption`` and ``clip_error`` events.

    Raises
    ------
    OSError
        If nobody answers.
    """
    return Stream(address, body, "/v1/caption")


def embed(address: Address, body: dict[str, Any]) -> dict[str, Any]:
    """The ``texts`` and ``clips`` of a body as unit vectors of one space, and the ``problems`` of clips.

    Raises
    ------
    ReplyError
        If it is refused.
    OSError, http.client.HTTPException
        If nobody answers.
    """
    return call(address, "POST", "/v1/embed", COMPUTE_SECONDS, body)


def health(address: Address) -> dict[str, Any]:
    """State, device and bundles of the engine."""
    return call(address, "GET", "/v1/health")


def cancel(address: Address, job: str) -> None:
    """Stop a job at its next step; a job that has ended already is no error."""
    call(address, "DELETE", f"/v1/jobs/{job}", timeout=2.0)


def _refusal(status: int, content: bytes) -> ReplyError:
    try:
        error = json.loads(content)["error"]
        return ReplyError(str(error["code"]), str(error["message"]), str(error["fix"]))
    except (ValueError, KeyError, TypeError):
        return ReplyError("bad_reply", f"The engine answered with status {status}.", "Restart the engine.")
