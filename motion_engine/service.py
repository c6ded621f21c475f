# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as a process: listen, announce, load the model, serve, end in good order."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from motion_engine import __version__, packs, protocol
from motion_engine import bundle as bundle_files
from motion_engine.bundle import Bundle
from motion_engine.captioning.requests import read_caption, read_clip, read_embed
from motion_engine.errors import EngineError
from motion_engine.guard import Guard
from motion_engine.jobs import Job, JobQueue
from motion_engine.lifetime import Lifetime
from motion_engine.server import create_app

if TYPE_CHECKING:
    from motion_engine.control import Controls
    from motion_engine.engine import Engine, GenerateRequest
    from motion_engine.request import Variation

log = logging.getLogger(__name__)

Stamps = dict[Path, tuple[int, int]]

GRACE_SECONDS = 3
"""How long open streams and the running step may take when the server ends."""


class Service:
    """The installed bundles, the loaded model and its job queue: what the routes ask about.

    Parameters
    ----------
    bundle : name or folder of the default bundle; None for the one that ships.
    device, backend, threads : as for `Engine`.
    """

    def __init__(self, bundle: str | None, device: str, backend: str, threads: int | None) -> None:
        self._wanted = bundle
        self._device, self._backend, self._threads = device, backend, threads
        self._listing = threading.Lock()
        self._seen: Stamps = {}
        self._bundles: dict[str, Bundle] = {}
        self.jobs = JobQueue(self._load)

    def bundles(self) -> dict[str, Bundle]:
        """The usable bundles by name, the default one first; files are checked when a bundle is new or changed.

        Raises
        ------
        EngineError
            If there is no usable bundle, or not the wanted one.
        """
        with self._listing:
            seen = _stamps()
            if not self._bundles or seen != self._seen:
                # the default stays, whatever happens to its folder: it is loaded
                default = next(iter(self._bundles.values()), None) or bundle_files.find(self._wanted)
                bundles = {default.name: default}
                for info in bundle_files.list_bundles():
                    with contextlib.suppress(EngineError):  # removed at this very moment
                        if info.ok and info.name not in bundles:
                            bundles[info.name] = bundle_files.load(info.path)
                for name, old in self._bundles.items():
                    if name not in bundles or bundles[name].manifest != old.manifest:
                        self.jobs.forget(name)
                self._bundles, self._seen = bundles, seen
            return dict(self._bundles)

    def add_bundle(self, body: protocol.AddBundleBody) -> protocol.BundleAdded:
        """Add a model of the user's own; EngineError as for `packs.add`."""
        return protocol.BundleAdded(added=_summary(packs.add(Path(body.path)), False))

    def remove_bundle(self, name: str) -> protocol.BundleRemoved:
        """Delete a model of the user's own; EngineError as for `packs.remove`, or ``bundle_in_use``."""
        default = next(iter(self.bundles().values()))
        if default.name == name and default.own:
            raise EngineError(
                "bundle_in_use",
                f"This engine was started with the bundle {name!r}.",
                "Start it with another one first.",
            )
        self.jobs.forget(name)
        packs.remove(name)
        return protocol.BundleRemoved(removed=name)

    def _load(self, name: str | None) -> Engine:
        from motion_engine.engine import Engine

        bundles = self.bundles()
        bundle = next(iter(bundles.values())) if name is None else bundles[name]
        engine = Engine(bundle, self._device, self._backend, self._threads)
        engine.warm_up()
        return engine

    def _bundle_for(self, name: str | None, task: str | None = None) -> Bundle:
        """The bundle of that name; for None the default one, or the first that offers the task.

        Raises
        ------
        EngineError
            ``unknown_bundle``, or ``not_supported`` when it does not offer the task.
        """
        bundles = self.bundles()
        if name is not None and name not in bundles:
            raise EngineError(
                "unknown_bundle",
                f"There is no model bundle {name!r}.",
                f"Choose one of {', '.join(bundles)}.",
            )
        default = next(iter(bundles.values()))
        if name is not None:
            chosen = bundles[name]
        else:
            chosen = next((b for b in bundles.values() if task is None or task in b.tasks), default)
        if task is not None:
            chosen.require(task)
        return chosen

    def caption_job(self, body: protocol.CaptionBody, emit: Callable[[protocol.Event], None]) -> Job:
        """The job of a caption call; EngineError for what no bundle can do, or a wrong value."""
        return Job(read_caption(body), self._bundle_for(body.bundle, "motion_to_text").name, emit)

    def embed_job(self, body: protocol.EmbedBody, emit: Callable[[protocol.Event], None]) -> Job:
        """The job of an embed call; EngineError as for `caption_job`."""
        return Job(read_embed(body), self._bundle_for(body.bundle, "embed").name, emit)

    def generate_job(self, body: protocol.GenerateBody, emit: Callable[[protocol.Event], None]) -> Job:
        """The job of a generate call; EngineError as for `caption_job`."""
        bundle = self._bundle_for(body.bundle, _task(body))
        return Job(self.read_request(body, bundle), bundle.name, emit)

    def read_request(self, body: protocol.GenerateBody, bundle: Bundle) -> GenerateRequest:
        """The request of a body, checked against the limits of its bundle.

        Raises
        ------
        EngineError
            ``not_supported`` for controls that the bundle cannot obey, or a wrong value.
        """
        from motion_engine.request import GenerateRequest
        from motion_engine.timeline import check_request

        if body.prompts is not None and body.prompt is not None:
            raise EngineError(
                "bad_request", "There is a prompt and a list of timed prompts.", "Send one of the two."
            )
        request = GenerateRequest(
            prompt=body.prompt or (body.variation and body.variation.prompt) or "",
            duration=body.duration,
            seed=body.seed,
            count=body.count,
            sampler=body.sampler,
            steps=body.steps,
            guidance=body.guidance,
            tries=body.tries,
            foot_lock=body.post.foot_lock,
            floor=body.post.floor,
            controls=_controls(body),
            prompts=None if body.prompts is None else tuple((p.text, p.duration) for p in body.prompts),
            variation=_variation(body),
            surprise=body.surprise,
        )
        check_request(bundle, request)
        return request

    def health(self) -> protocol.Health:
        """The state of the engine, as ``GET /v1/health`` tells it; never waits while the model loads."""
        engine, error = self.jobs.default_engine, self.jobs.load_error
        bundles = self.bundles() if engine else self._bundles
        detail = None
        if error is not None:
            detail = protocol.ErrorDetail(code=error.code, message=error.message, fix=error.fix)
        return protocol.Health(
            status="ready" if engine else "error" if error else "loading",
            version=__version__,
            pid=os.getpid(),
            device=engine.device if engine else None,
            bundles=[_summary(bundle, not i) for i, bundle in enumerate(bundles.values())],
            queue=len(self.jobs),
            error=detail,
        )


def _stamps() -> Stamps:
    """Time and size of every manifest: what tells that a bundle has come, gone or changed."""
    stamps = {}
    for folder in (bundle_files.default_bundles_dir(), bundle_files.user_bundles_dir()):
        for manifest in folder.glob("*/manifest.json"):
            with contextlib.suppress(OSError):
                status = manifest.stat()
                stamps[manifest] = status.st_mtime_ns, status.st_size
    return stamps


def _summary(bundle: Bundle, default: bool) -> protocol.BundleSummary:
    samplers = sorted(bundle.samplers, key=lambda name: name != bundle.default_sampler)
    return protocol.BundleSummary(
        name=bundle.name,
        title=bundle.title,
        licence=bundle.licence,
        commercial=bundle.commercial,
        own=bundle.own,
        default=default,
        samplers=samplers,
        tasks=list(bundle.manifest["tasks"]),
        fps=bundle.fps,
        max_duration=bundle.max_frames / bundle.fps,
    )


class _Server(uvicorn.Server):
    """Uvicorn's server, which cancels every job before it waits for open streams to end."""

    def __init__(self, config: uvicorn.Config, jobs: JobQueue) -> None:
        super().__init__(config)
        self._jobs = jobs

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._jobs.close()
        await super().shutdown(sockets)


def serve(
    bundle: str | None = None,
    device: str = "auto",
    backend: str = "onnx",
    threads: int | None = None,
    port: int = 0,
    parent_pid: int | None = None,
    idle_timeout: float = 900.0,
) -> int:
    """Listen on 127.0.0.1, print port and token as one line of JSON, serve until stopped; returns 0.

    Parameters
    ----------
    bundle : name or folder of the default model bundle; None for the one that ships.
    port : 0 takes a free one.
    parent_pid : the server ends when this process ends.
    idle_timeout : the server ends after so many seconds without a request; 0 means never.

    Raises
    ------
    EngineError
        ``port_in_use``.
    """
    logging.basicConfig(level=logging.WARNING, format="motion-prompt: %(message)s", stream=sys.stderr)
    service = Service(bundle, device, backend, threads)
    service.jobs.start()
    listener = _listen(port)
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(32)

    def stop(reason: str) -> None:
        log.info("stopping: %s", reason)
        server.should_exit = True

    app = Guard(create_app(service, stop), token, port)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config, service.jobs)

    def idle_seconds() -> float:
        since = service.jobs.idle_since
        return 0.0 if since is None else time.monotonic() - max(since, app.last_request)

    hello = {"port": port, "token": token, "version": __version__, "pid": os.getpid()}
    print(json.dumps(hello), flush=True)
    Lifetime(stop, idle_seconds, parent_pid, idle_timeout)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn has ended in good order and raises it again
        server.run(sockets=[listener])
    service.jobs.join(GRACE_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    # a step that is still in the network's native code would hold up, or crash, an ordinary exit
    os._exit(0)


def _task(body: protocol.GenerateBody) -> str | None:
    """The task that a generate call needs beside ``text_to_motion``."""
    return "joint" if body.surprise else "variation" if body.variation is not None else None


def _variation(body: protocol.GenerateBody) -> Variation | None:
    if body.variation is None:
        return None
    from motion_engine.request import Variation

    return Variation(read_clip(body.variation.clip), body.variation.strength)


def _controls(body: protocol.GenerateBody) -> Controls | None:
    if not body.controls:
        return None
    from motion_engine.control import Controls

    entries = [entry.model_dump(exclude_none=True) for entry in body.controls]
    start = None if body.start is None else body.start.model_dump()
    return Controls.from_json(entries, start, body.post.refine)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=64)
    except OSError as error:
        raise EngineError(
            "port_in_use", f"Cannot listen on port {port}: {error.strerror}.", "Choose another --port, or 0."
        ) from None
