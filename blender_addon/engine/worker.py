# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that keeps an engine process, sends it jobs and puts what comes back into a queue.

The window's thread calls `submit`, `cancel`, `warm` and `stop`, none of which waits, and reads `events`.
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import itertools
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motion_engine.wire import decode_motion

from . import client
from .events import (
    Answered,
    Arrived,
    ClipFailed,
    Event,
    Failed,
    Finished,
    Progress,
    Queued,
    Ready,
    Starting,
    Stopped,
    captioned,
)  # fmt: skip
from .launch import Launch
from .process import Address, EngineProcess, EngineStartError, describe_exit

_numbers = itertools.count(1)

CALL_SECONDS = 600.0
"""How long a call may take that copies a model."""


Body = dict[str, Any] | None
Prepare = Callable[[], Body]
"""Makes a body on the thread, from what was read before; None where nothing is left to ask for."""


@dataclass
class Job:
    """A request on its way: a ``POST /v1/generate``, or the ``call`` (method, path) if there is one.

    All but ``cancelled`` belongs to the thread.

    Attributes
    ----------
    prepare : makes the body of a ``POST /v1/caption``, or of ``/v1/embed`` where ``call`` says so.
    """

    body: Body
    call: tuple[str, str] | None = None
    prepare: Prepare | None = None
    number: int = field(default_factory=lambda: next(_numbers))
    cancelled: threading.Event = field(default_factory=threading.Event)
    stream: client.Stream | None = None
    engine_id: str | None = None
    retried: bool = False


class Worker:
    """Runs jobs one after the other on an engine process that it starts, watches and restarts.

    Parameters
    ----------
    launch : makes the command line; called at each start, so that changed preferences count.
    log : file for the engine's standard error.
    """

    def __init__(self, launch: Callable[[], Launch], log: Path) -> None:
        self.events: queue.SimpleQueue[tuple[int, Event]] = queue.SimpleQueue()
        self.log = log
        self._launch = launch
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._process: EngineProcess | None = None
        self._stopping = threading.Event()
        self._reported = False
        self._thread = threading.Thread(target=self._run, name="motion-prompt-worker", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    # --- called from the window's thread -------------------------------------------------------------

    def submit(self, body: dict[str, Any]) -> Job:
        """Queue a request (body of ``POST /v1/generate``)."""
        job = Job(body)
        self._inbox.put(job)
        return job

    def call(self, method: str, path: str, body: dict[str, Any] | None) -> Job:
        """Queue a call with a single answer."""
        job = Job(body, (method, path))
        self._inbox.put(job)
        return job

    def caption(self, prepare: Prepare) -> Job:
        """Queue clips to find sentences for."""
        job = Job(None, prepare=prepare)
        self._inbox.put(job)
        return job

    def embed(self, prepare: Prepare) -> Job:
        """Queue texts and clips to place in the space in which they can be compared."""
        job = Job(None, ("POST", "/v1/embed"), prepare)
        self._inbox.put(job)
        return job

    def warm(self) -> None:
        """Start the engine now, so that the first prompt need not wait for it."""
        self._inbox.put(Job({}))

    def cancel(self, job: Job) -> None:
        """Stop a job: the engine is told, then the connection is broken."""
        job.cancelled.set()
        threading.Thread(target=self._cancel, args=(job,), name="motion-prompt-cancel", daemon=True).start()

    def stop(self) -> None:
        """End the engine and the thread. Waits for the process to end, at most a few seconds."""
        atexit.unregister(self.stop)
        self._stopping.set()
        self._inbox.put(None)
        if self._process is not None:
            self._process.stop()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=2.0)
        if self._process is not None:  # one that was being started meanwhile
            self._process.stop()

    @property
    def engine_pid(self) -> int | None:
        """Process id of the living engine."""
        process = self._process
        return process.pid if process is not None and process.exit_code() is None else None

    # --- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            job = self._inbox.get()
            if job is None:
                return
            try:
                self._work(job)
            except Exception as error:
                # whatever it is, the user must see it and the thread must live on
                self._say(job, Failed("client", f"Something went wrong: {error}.", "Restart the engine."))

    def _say(self, job: Job, event: Event) -> None:
        self.events.put((job.number, event))

    def _work(self, job: Job) -> None:
        if job.cancelled.is_set():
            self._say(job, Stopped())
            return
        try:
            address = self._address(job)
        except EngineStartError as error:
            self._say(job, Failed("engine_start", str(error), "Restart the engine."))
            return
        except FileNotFoundError as error:
            self._say(job, Failed("engine_start", str(error), "Choose a Python in the add-on's preferences."))
            return
        if address is None or job.cancelled.is_set():
            self._say(job, Stopped())
        else:
            if job.prepare is not None:
                job.body = job.prepare()
                if job.body is None:
                    self._say(job, Answered({}) if job.call is not None else Finished(0.0))
                    return
            if job.call is not None:
                self._call(job, address)
            elif job.body:
                self._stream(job, address)
                self._reported = self._reported and job.prepare is not None  # the menu is to show new models
            self._report(job, address)

    def _address(self, job: Job, reason: str = "") -> Address | None:
        """Address of a living engine, started now when there is none; None when cancelled meanwhile."""
        process = self._process
        if process is not None and process.exit_code() is None and process.address is not None:
            return process.address
        if process is not None and process.exit_code() not in (None, 0):
            reason = reason or f"The engine had ended ({describe_exit(process.exit_code())}). "
        if process is None or process.exit_code() is not None:
            self._say(job, Starting(reason))
            self._process = process = EngineProcess(self._launch(), self.log)
        address = process.wait_until_listening(lambda: job.cancelled.is_set() or self._stopping.is_set())
        self._reported = False
        return address

    def _report(self, job: Job, address: Address) -> None:
        """Pass the engine's own report on, once its model is loaded; another job in the inbox goes first."""
        while not self._reported and not self._stopping.is_set():
            try:
                health = client.health(address)
            except (OSError, http.client.HTTPException, client.ReplyError):
                return
            self._reported = health["status"] != "loading"
            if self._reported:
                self._say(job, Ready(health))
            elif not self._inbox.empty():
                return
            else:
                time.sleep(0.1)

    def _call(self, job: Job, address: Address) -> None:
        """Make a call and pass its answer on, after the engine's report on how things are now."""
        assert job.call is not None
        try:
            if job.prepare is not None:
                self._say(job, Answered(client.embed(address, job.body or {})))
                return
            reply = client.call(address, *job.call, timeout=CALL_SECONDS, body=job.body)
        except client.ReplyError as error:
            self._say(job, Failed(error.code, error.message, error.fix))
            return
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._say(job, Failed("bad_reply", f"The engine did not answer: {error}.", "Restart it."))
            return
        self._reported = False
        self._report(job, address)
        self._say(job, Answered(reply))

    def _stream(self, job: Job, address: Address) -> None:
        assert job.body is not None
        finished = False
        try:
            job.stream = (client.Stream if job.prepare is None else client.caption)(address, job.body)
            if job.cancelled.is_set():  # too early for `_cancel` to see the stream
                job.stream.close()
            for event in job.stream.events():
                job.engine_id = event.get("job", job.engine_id)
                finished = self._relay(job, event) or finished
        except client.ReplyError as error:
            finished = True
            self._say(job, Failed(error.code, error.message, error.fix))
        except (OSError, ValueError, http.client.HTTPException):
            pass
        finally:
            if job.stream is not None:
                job.stream.close()
        if finished:
            return
        if job.cancelled.is_set() or self._stopping.is_set():
            self._say(job, Stopped())
        elif job.engine_id is None and not job.retried:
            job.retried = True  # it had died, unnoticed, before it heard of the job
            if self._process is not None:
                self._process.wait(1.0)
            self._work(job)
        else:
            self._explain_break(job)

    def _relay(self, job: Job, event: dict[str, Any]) -> bool:
        """Pass an event of the protocol on; True for the last one."""
        match event["event"]:
            case "queued":
                self._say(job, Queued(int(event["position"])))
            case "progress":
                self._say(job, Progress(float(event["fraction"])))
            case "motion":
                motion = decode_motion(event["motion"])
                self._say(job, Arrived(int(event["index"]), int(event["count"]), motion))
            case "caption":
                self._say(job, captioned(event))
            case "clip_error":
                message = f"{event['message']} {event['fix']}".strip()
                self._say(job, ClipFailed(int(event["clip"]), message))
            case "done":
                self._say(job, Finished(float(event["elapsed_ms"])))
                return True
            case "error":
                self._say(job, Failed(event["code"], event["message"], event["fix"]))
                return True
            case "cancelled":
                self._say(job, Stopped())
                return True
        return False

    def _explain_break(self, job: Job) -> None:
        """The stream broke although nobody asked: say why, and have an engine ready for the next try."""
        process = self._process
        code = process.wait(1.0) if process is not None else None
        if code is None:
            message = "The connection to the engine broke in the middle of the job."
        else:
            message = f"The engine ended in the middle of the job ({describe_exit(code)})."
        try:
            self._address(Job({}), reason=message + " ")
        except (EngineStartError, OSError) as error:
            self._say(job, Failed("engine_start", f"{message} It could not be started again: {error}",
                                  "Restart the engine."))  # fmt: skip
            return
        self._say(job, Failed("engine_died", f"{message} It is running again.", "Try again."))

    def _cancel(self, job: Job) -> None:
        """Tell the engine, give the stream a moment to end by itself, then break it."""
        process = self._process
        if job.engine_id and process is not None and process.address is not None:
            with contextlib.suppress(OSError, http.client.HTTPException, client.ReplyError):
                client.cancel(process.address, job.engine_id)
                time.sleep(0.2)
        if job.stream is not None:
            job.stream.close()
