# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of the local HTTP protocol and the stream of events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from motion_engine import protocol
from motion_engine.errors import EngineError
from motion_engine.guard import error_response
from motion_engine.jobs import Job, JobQueue
from motion_engine.openapi import openapi

if TYPE_CHECKING:
    from motion_engine.service import Service

log = logging.getLogger(__name__)

DRAIN_LIMIT = 16 << 20
"""Bytes over the limit that are read and thrown away, so that the client gets to see the reply."""


class EventStream(Response):
    """The events of one job as newline-delimited JSON; a client that goes away cancels its job."""

    def __init__(self, jobs: JobQueue, job: Job, events: asyncio.Queue[protocol.Event]) -> None:
        super().__init__(media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._jobs, self._job, self._events = jobs, job, events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            while True:
                coming = asyncio.ensure_future(self._events.get())
                await asyncio.wait({gone, coming}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    coming.cancel()
                    return
                event = coming.result()
                line = protocol.event_line(event)
                last = isinstance(event, protocol.LAST_EVENTS)
                await send({"type": "http.response.body", "body": line, "more_body": not last})
                if last:
                    return
        finally:
            gone.cancel()
            self._jobs.cancel(self._job.id)


class OneReply:
    """The one reply of a job without a stream; a client that goes away cancels the job."""

    def __init__(self, jobs: JobQueue, job: Job, events: asyncio.Queue[protocol.Event]) -> None:
        self._jobs, self._job, self._events = jobs, job, events

    async def wait(self, request: Request) -> Response:
        """The reply, when the job has ended.

        Raises
        ------
        EngineError
            The job failed or was cancelled.
        """
        gone = asyncio.ensure_future(_disconnected(request.receive))
        try:
            while True:
                coming = asyncio.ensure_future(self._events.get())
                await asyncio.wait({gone, coming}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    raise _cancelled()
                event = coming.result()
                if isinstance(event, protocol.ErrorEvent):
                    raise EngineError(event.code, event.message, event.fix)
                if isinstance(event, protocol.CancelledEvent):
                    raise _cancelled()
                if isinstance(event, protocol.DoneEvent) and self._job.reply is not None:
                    return _json(self._job.reply)
        finally:
            gone.cancel()
            self._jobs.cancel(self._job.id)


def _cancelled() -> EngineError:
    return EngineError("cancelled", "The request was cancelled.", "Send it again.")


class NotLoaded(Exception):
    """No model could be loaded, for the reason given: every job is refused."""

    def __init__(self, reason: EngineError) -> None:
        super().__init__(str(reason))
        self.reason = reason


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(request: Request, limit: int) -> bytes:
    """The body of a request, read piece by piece; EngineError ``body_too_large`` beyond ``limit`` bytes."""
    body = bytearray()
    received = 0
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit + DRAIN_LIMIT:
        raise _too_large(limit)
    async for piece in request.stream():
        received += len(piece)
        if received <= limit:
            body += piece
        elif received > limit + DRAIN_LIMIT:
            break
    if received > limit:
        raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> EngineError:
    return EngineError(
        "body_too_large", f"The request is larger than {limit >> 20} MiB.", "Send a shorter request."
    )


def _json(model: BaseModel) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(model.model_dump_json(), media_type="application/json", headers=headers)


def create_app(service: Service, stop: Callable[[str], None]) -> FastAPI:
    """The routes of the protocol.

    Parameters
    ----------
    service : Service
        Knows the bundles, reads requests, computes jobs; raises EngineError for what it refuses.
    stop : callable
        Ends the server; given the reason.
    """
    jobs = service.jobs
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.openapi = openapi  # type: ignore[method-assign]

    @app.exception_handler(EngineError)
    async def refuse(request: Request, error: EngineError) -> Response:
        return error_response(error)

    @app.exception_handler(NotLoaded)
    async def refuse_all(request: Request, error: NotLoaded) -> Response:
        return error_response(error.reason, 503)

    @app.exception_handler(HTTPException)
    async def no_such_call(request: Request, error: HTTPException) -> Response:
        code = "method_not_allowed" if error.status_code == 405 else "not_found"
        message = f"{request.method} {request.url.path} is no call of this server."
        return error_response(EngineError(code, message, "See docs/openapi.json."), error.status_code)

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> Response:
        message = f"The server failed: {type(error).__name__}."
        return error_response(EngineError("internal", message, "The engine's log has the details."), 500)

    @app.get("/v1/health")
    async def get_health() -> Response:
        return _json(await asyncio.to_thread(service.health))

    async def submitted(
        make: Callable[[Callable[[protocol.Event], None]], Job],
    ) -> tuple[Job, asyncio.Queue[protocol.Event]]:
        """A job in the queue, and its events as they come; ``make`` runs beside the loop."""
        if jobs.load_error is not None:
            raise NotLoaded(jobs.load_error)
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[protocol.Event] = asyncio.Queue()

        def emit(event: protocol.Event) -> None:
            try:
                loop.call_soon_threadsafe(events.put_nowait, event)
            except RuntimeError:  # the loop has ended; so has every listener
                log.debug("event after the end: %s", event.event)

        job = await asyncio.to_thread(make, emit)
        jobs.submit(job)
        return job, events

    @app.post("/v1/generate")
    async def generate(request: Request) -> Response:
        body = await read_body(request, protocol.CLIPS_BODY_LIMIT)
        if len(body) > protocol.GENERATE_BODY_LIMIT and b'"variation"' not in body:
            raise _too_large(protocol.GENERATE_BODY_LIMIT)
        return EventStream(jobs, *await submitted(
            lambda emit: service.generate_job(protocol.parse_generate(body), emit)
        ))  # fmt: skip

    @app.post("/v1/caption")
    async def caption(request: Request) -> Response:
        body = await read_body(request, protocol.CLIPS_BODY_LIMIT)
        return EventStream(jobs, *await submitted(
            lambda emit: service.caption_job(protocol.parse_caption(body), emit)
        ))  # fmt: skip

    @app.post("/v1/embed")
    async def embed(request: Request) -> Response:
        body = await read_body(request, protocol.CLIPS_BODY_LIMIT)
        job, events = await submitted(lambda emit: service.embed_job(protocol.parse_embed(body), emit))
        return await OneReply(jobs, job, events).wait(request)

    @app.delete("/v1/jobs/{job_id}")
    async def cancel(request: Request) -> Response:
        return _json(protocol.Cancellation(cancelled=jobs.cancel(request.path_params["job_id"])))

    @app.post("/v1/bundles")
    async def add_bundle(request: Request) -> Response:
        body = protocol.parse_add_bundle(await read_body(request, protocol.GENERATE_BODY_LIMIT))
        return _json(await asyncio.to_thread(service.add_bundle, body))

    @app.delete("/v1/bundles/{name}")
    async def remove_bundle(request: Request) -> Response:
        return _json(await asyncio.to_thread(service.remove_bundle, request.path_params["name"]))

    @app.post("/v1/shutdown")
    async def shutdown() -> Response:
        stop("asked to")
        return _json(protocol.Farewell(stopping=True))

    return app
