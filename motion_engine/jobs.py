# SPDX-License-Identifier: GPL-3.0-or-later
"""One worker thread that loads the model and then computes one job after another."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from motion_engine import protocol
from motion_engine.captioning import requests
from motion_engine.captioning.requests import CaptionRequest, EmbedRequest, event
from motion_engine.errors import Cancelled, EngineError
from motion_engine.wire import encode_motion

if TYPE_CHECKING:
    from motion_engine.engine import Engine, GenerateRequest
    from motion_engine.motion import Motion

log = logging.getLogger(__name__)

MAX_WAITING = 64
"""Jobs that may wait; one more is refused with ``queue_full``."""


@dataclass
class Job:
    """One request on its way through the queue.

    ``emit`` is called from the worker thread (and once from the submitting thread) with each event; the last
    one is a done, error or cancelled event. Before a done event, ``reply`` holds what a call with one reply answers.
    """

    request: GenerateRequest | CaptionRequest | EmbedRequest
    bundle: str | None
    emit: Callable[[protocol.Event], None]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    cancel: threading.Event = field(default_factory=threading.Event)
    reply: protocol.EmbedReply | None = None


class JobQueue:
    """Jobs in order of arrival, computed by one thread, which also owns the loaded model.

    Parameters
    ----------
    load_engine : callable
        Given a bundle name (None for the default), returns a warmed-up engine or raises EngineError.
    """

    def __init__(self, load_engine: Callable[[str | None], Engine]) -> None:
        self._load_engine = load_engine
        self._changed = threading.Condition()
        self._waiting: list[Job] = []
        self._running: Job | None = None
        self._closed = False
        self._engines: dict[str, Engine] = {}
        self._thread = threading.Thread(target=self._work, name="motion-engine", daemon=True)
        self.default_engine: Engine | None = None
        self.load_error: EngineError | None = None
        self.idle_since: float | None = None
        """Clock at which the last job ended; None while the model loads and while jobs run or wait."""

    def start(self) -> None:
        """Begin to load the default model; jobs may already be submitted."""
        self._thread.start()

    def __len__(self) -> int:
        with self._changed:
            return len(self._waiting) + (self._running is not None)

    def submit(self, job: Job) -> None:
        """Put a job at the end of the queue; its ``queued`` event is emitted at once.

        Raises
        ------
        EngineError
            ``queue_full``, ``shutting_down``, or the error that kept the model from loading.
        """
        with self._changed:
            if self._closed:
                raise EngineError("shutting_down", "The engine is shutting down.", "Start it again.")
            if self.load_error is not None:
                raise self.load_error.with_traceback(None)
            if len(self._waiting) >= MAX_WAITING:
                raise EngineError(
                    "queue_full",
                    f"{MAX_WAITING} jobs already wait.",
                    "Wait for one to finish, or cancel one.",
                )
            self.idle_since = None
            position = len(self._waiting) + (self._running is not None)
            job.emit(protocol.QueuedEvent(job=job.id, position=position))
            self._waiting.append(job)
            self._changed.notify()

    def cancel(self, job_id: str) -> bool:
        """Cancel a waiting or running job; False when there is none of that id (any more)."""
        with self._changed:
            if self._running is not None and self._running.id == job_id:
                self._running.cancel.set()
                return True
            for job in self._waiting:
                if job.id == job_id:
                    self._waiting.remove(job)
                    job.cancel.set()
                    job.emit(protocol.CancelledEvent(job=job.id))
                    self._announce_positions()
                    self._note_idle()
                    return True
        return False

    def close(self) -> None:
        """Cancel every job and let the worker end; does not wait for it."""
        with self._changed:
            self._closed = True
            for job in self._waiting:
                job.cancel.set()
                job.emit(protocol.CancelledEvent(job=job.id))
            self._waiting.clear()
            if self._running is not None:
                self._running.cancel.set()
            self._changed.notify_all()

    def forget(self, bundle: str) -> None:
        """Let go of a loaded model that was removed or replaced; a job that runs on it goes on."""
        self._engines.pop(bundle, None)

    def join(self, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for the worker to end."""
        self._thread.join(timeout)

    # --- the worker -------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self.default_engine = self._load_engine(None)
        except EngineError as error:
            self._fail_loading(error)
        except Exception as error:  # a broken installation must reach the user as a sentence
            log.exception("the model could not be loaded")
            self._fail_loading(
                EngineError(
                    "load_failed",
                    f"The model could not be loaded: {type(error).__name__}: {error}.",
                    "Run 'motion-prompt doctor' to see what is wrong.",
                )
            )
        with self._changed:
            self._note_idle()
        while (job := self._next()) is not None:
            last = self._compute(job)
            with self._changed:
                self._running = None
                self._note_idle()
            job.emit(last)

    def _fail_loading(self, error: EngineError) -> None:
        with self._changed:
            self.load_error = error
            for job in self._waiting:
                job.emit(_error_event(job, error))
            self._waiting.clear()

    def _next(self) -> Job | None:
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            self._running = self._waiting.pop(0)
            self._announce_positions()
            return self._running

    def _announce_positions(self) -> None:
        ahead = int(self._running is not None)
        for index, job in enumerate(self._waiting):
            job.emit(protocol.QueuedEvent(job=job.id, position=index + ahead))

    def _note_idle(self) -> None:
        if self._running is None and not self._waiting:
            self.idle_since = time.monotonic()

    def _engine_for(self, bundle: str | None) -> Engine:
        default = self.default_engine
        assert default is not None
        if bundle is None or bundle == default.bundle.name:
            return default
        engine = self._engines.get(bundle)
        if engine is None:
            self._engines.clear()  # at most one besides the default: models are large
            engine = self._engines[bundle] = self._load_engine(bundle)
        return engine

    def _compute(self, job: Job) -> protocol.Event:
        """Run one job, emitting progress and what it makes; returns its last event."""
        start = time.perf_counter()

        def on_progress(step: int, steps: int) -> None:
            fraction = step / max(steps, 1)
            job.emit(protocol.ProgressEvent(job=job.id, step=step, steps=steps, fraction=fraction))

        try:
            engine = self._engine_for(job.bundle)
            stopped = job.cancel.is_set
            if isinstance(job.request, CaptionRequest):
                requests.caption(
                    engine, job.request, lambda r: job.emit(event(job.id, r)), on_progress, stopped
                )
            elif isinstance(job.request, EmbedRequest):
                job.reply = requests.embed(engine, job.request, stopped)
            else:
                motions = engine.generate(job.request, on_progress=on_progress, is_cancelled=stopped)
                _emit_motions(job, motions)
        except Cancelled:
            return protocol.CancelledEvent(job=job.id)
        except EngineError as error:
            return _error_event(job, error)
        except MemoryError:
            return _error_event(job, EngineError(
                "out_of_memory", "There is not enough memory for this request.",
                "Ask for fewer variations or a shorter motion.",
            ))  # fmt: skip
        except Exception as error:
            log.exception("job %s failed", job.id)
            return _error_event(job, EngineError(
                "internal", f"The engine failed: {type(error).__name__}: {error}.",
                "Try another prompt or seed; if it happens again, report it with this sentence.",
            ))  # fmt: skip
        return protocol.DoneEvent(job=job.id, elapsed_ms=round((time.perf_counter() - start) * 1e3, 3))


def _emit_motions(job: Job, motions: Sequence[Motion]) -> None:
    for index, motion in enumerate(motions):
        if job.cancel.is_set():
            raise Cancelled
        value = protocol.MotionValue.model_validate(encode_motion(motion))
        job.emit(protocol.MotionEvent(job=job.id, index=index, count=len(motions), motion=value))


def _error_event(job: Job, error: EngineError) -> protocol.ErrorEvent:
    return protocol.ErrorEvent(job=job.id, code=error.code, message=error.message, fix=error.fix)
