# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to the local server: a caller on this machine that holds the token, and no web page."""

from __future__ import annotations

import secrets
import time

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from motion_engine.errors import EngineError

STATUS = {
    "bad_host": 403,
    "foreign_origin": 403,
    "bad_token": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "malformed_json": 400,
    "body_too_large": 413,
    "not_supported": 501,
    "queue_full": 503,
    "shutting_down": 503,
    "cancelled": 503,
}
"""HTTP status of an error code; every other code is 422, a request that the engine understood and refused."""


def error_response(error: EngineError, status: int | None = None) -> JSONResponse:
    """The reply to a refused request; the connection is closed because its body may be unread."""
    body = {"error": {"code": error.code, "message": error.message, "fix": error.fix}}
    status = status or STATUS.get(error.code, 422)
    return JSONResponse(body, status, headers={"Connection": "close", "Cache-Control": "no-store"})


class Guard:
    """ASGI middleware that refuses requests before any of the application sees them.

    The Host header must name this server (a page that rebinds its DNS name to 127.0.0.1 still sends its own
    name), an Origin header must be absent (browsers add it, our clients do not), and the token must match.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app = app
        self._authorization = f"Bearer {token}".encode()
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.last_request = time.monotonic()
        """Clock at which the last admitted request came."""

    def _refusal(self, headers: Headers) -> EngineError | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return EngineError(
                "bad_host", "The Host header does not name this server.", "Connect to 127.0.0.1 directly."
            )
        if "origin" in headers:
            return EngineError(
                "foreign_origin", "Requests from web pages are refused.", "Connect without an Origin header."
            )
        given = headers.get("authorization", "").encode("utf-8", "replace")
        if not secrets.compare_digest(given, self._authorization):
            return EngineError(
                "bad_token",
                "The token is missing or wrong.",
                "Send 'Authorization: Bearer TOKEN' with the token that the server printed when it started.",
            )
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            await error_response(refusal)(scope, receive, send)
        else:
            self.last_request = time.monotonic()
            await self.app(scope, receive, send)
