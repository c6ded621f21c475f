# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on right now: the running task, its progress, the status line. Lives outside the .blend.

`pump` moves everything forward without waiting; a timer calls it while a task runs, tests call it in a loop.
"""

from __future__ import annotations

import contextlib
import queue
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import bpy

from . import apply
from .engine import worker as engine
from .engine.launch import engine_launch
from .preferences import log_path, preferences
from .status import Fix, Status, UserError
from .tasks import Errand, Run, Task

TICK_SECONDS = 0.03

_TRY_AGAIN = Fix("Try Again", "motion_prompt.generate", {}, "FILE_REFRESH")
_RESTART = Fix("Restart Engine", "motion_prompt.restart_engine", {}, "FILE_REFRESH")
_PLACE_AGAIN = Fix("Put It on the Selected Armature", "motion_prompt.place_again", {}, "ARMATURE_DATA")
_OPEN_LOG = Fix("Open Log", "motion_prompt.open_log", {}, "TEXT")


class Session:
    """The one running task and its engine; beside it, at most one errand and some runs."""

    def __init__(self) -> None:
        self.worker: engine.Worker | None = None
        self.task: Task | None = None
        self.errand: Errand | None = None
        self.runs: list[Run] = []
        self.status = Status("INFO", "")
        self.progress = 0.0
        self.activity = ""
        self.health: dict[str, Any] = {}
        self.unplaced: Task | None = None
        self.on_change: list[Callable[[], None]] = []

    # --- what the operators call ---------------------------------------------------------------------

    def start(self, task: Task) -> None:
        """Begin a task; one that runs already is cancelled."""
        if self.task is not None:
            self._drop()
        self.task = task
        self.unplaced = None
        self.progress = 0.0
        self.activity = "Waiting for the engine"
        self.status = Status("INFO", "")
        self._submit()
        ensure_timer()

    def cancel(self, text: str = "Cancelled. Nothing was changed.") -> None:
        """Stop the running task."""
        if self.task is None:
            return
        task = self.task
        self._drop()
        if task.made:
            apply.push_undo(task.title)
            text = f"Cancelled. {_count(len(task.made), 'action')} made before that stay in the file."
        self.set_status(Status("INFO", text))

    def send(self, errand: Errand) -> None:
        """Have the engine do something else; its sentence takes the place of the line when it is done."""
        self.errand = errand
        errand.job = self.ensure_worker().call(errand.method, errand.path, errand.body)
        self.set_status(Status("INFO", f"{errand.activity}..."))
        ensure_timer()

    def begin(self, run: Run) -> None:
        """Have a run move forward until it is over."""
        self.runs.append(run)
        ensure_timer()

    def warm(self) -> None:
        """Have the engine started in the background."""
        self.ensure_worker().warm()
        ensure_timer()

    def restart_engine(self) -> None:
        """End the engine and start a new one."""
        self.cancel("Cancelled, because the engine was restarted.")
        self.errand = None
        self.end_runs()
        if self.worker is not None:
            self.worker.stop()
            self.worker = None
        self.warm()
        self.set_status(Status("INFO", "The engine is being restarted."))

    def stop(self) -> None:
        """End everything; at the end of the add-on or of Blender."""
        self.task = self.unplaced = self.errand = None
        self.end_runs(keep=False)
        if self.worker is not None:
            self.worker.stop()
            self.worker = None
        self.health = {}
        self.status = Status("INFO", "")

    def end_runs(self, keep: bool = True) -> None:
        """End what runs beside the task."""
        while self.runs:
            self.runs.pop().cancel(keep)

    def place_again(self, place: apply.Place) -> None:
        """Put motions that had lost their armature on another one."""
        task, self.unplaced = self.unplaced, None
        if task is not None:
            task.place = place
            self._apply(task)

    def set_status(self, status: Status) -> None:
        self.status = status
        self.show()

    # --- forward -------------------------------------------------------------------------------------

    def pump(self) -> bool:
        """Take in what has arrived. True while there is more to come."""
        worker = self.worker
        changed = False
        while worker is not None and worker is self.worker:
            try:
                number, event = worker.events.get_nowait()
            except queue.Empty:
                break
            self._take(number, event)
            changed = True
        for run in list(self.runs):
            changed = True
            if not self._guarded(run, run.step) and run in self.runs:
                self.runs.remove(run)
        if changed:
            self.show()
        return self.task is not None or self.errand is not None or bool(self.runs)

    def _take(self, number: int, event: engine.Event) -> None:
        match event:
            case engine.Starting(reason):
                self.activity = reason + "Starting the engine"
                return
            case engine.Ready(health):
                self.health = health
                problem = health.get("error")
                if self.task is None and problem:
                    self.status = Status(
                        "ERROR", f"{problem['message']} {problem['fix']}", (_RESTART, _OPEN_LOG)
                    )
                elif (
                    self.task is None
                    and self.errand is None
                    and self.status.kind == "INFO"
                    # where there is no line, a new one would move the panels under the mouse
                    and self.status.text
                    and not self.status.text.startswith("Cancel")
                ):
                    self.status = Status("INFO", "The engine is ready.")
                return
        for run in list(self.runs):
            if self._guarded(run, partial(run.take, number, event)):
                return
        errand = self.errand
        if errand is not None and errand.job is not None and number == errand.job.number:
            self._errand_over(errand, event)
            return
        task = self.task
        if task is None or task.job is None or number != task.job.number:
            if isinstance(event, engine.Failed) and task is None and event.code == "engine_start":
                self.status = self._failure(event)
            return
        match event:
            case engine.Queued(position):
                self.activity = f"Waiting for {_count(position, 'other job')}" if position else "Generating"
            case engine.Progress(fraction):
                self.activity = "Generating"
                self.progress = (task.at + fraction) / len(task.items)
            case engine.Arrived(_, _, motion):
                task.motions.append(motion)
            case engine.Finished():
                self._apply(task)
                if self.task is task:
                    self._next()
            case engine.Failed():
                self._item_failed(task, event)
            case engine.Stopped():
                self._drop()
                self.status = Status("INFO", "Cancelled. Nothing was changed.")

    def _guarded(self, run: Run, step: Callable[[], bool]) -> bool:
        """A step of a run; one that breaks ends the run, is seen by the user, and the timer lives on."""
        try:
            return step()
        except Exception as error:
            traceback.print_exc()
            if run in self.runs:
                self.runs.remove(run)
            with contextlib.suppress(Exception):
                run.cancel()  # leaves nothing behind in the file
            self.status = Status("ERROR", f"Something went wrong: {error}. Try again.", (_OPEN_LOG,))
            return False

    def _errand_over(self, errand: Errand, event: engine.Event) -> None:
        self.errand = None
        match event:
            case engine.Answered(reply):
                self.status = errand.closing(reply)
            case engine.Failed():
                # "try again" under a broken connection would be for a prompt
                event = replace(event, code="bad_reply") if event.code == "client" else event
                status = self._failure(event)
                self.status = replace(status, fixes=status.fixes or errand.fixes)
            case _:
                self.status = Status("INFO", "")

    def ensure_worker(self) -> engine.Worker:
        """The worker, which starts an engine at its first job."""
        if self.worker is None:
            python = bpy.path.abspath(preferences().engine_python)
            self.worker = engine.Worker(lambda: engine_launch(python), log_path())
        return self.worker

    def _submit(self) -> None:
        assert self.task is not None
        self.task.motions = []
        self.task.job = self.ensure_worker().submit(self.task.items[self.task.at].body)

    def _next(self) -> None:
        task = self.task
        assert task is not None
        task.at += 1
        self.progress = task.at / len(task.items)
        if task.at < len(task.items):
            self._submit()
            return
        self.task = None
        if task.made:
            apply.push_undo(task.title)
        self.status = self._closing_line(task)

    def _apply(self, task: Task) -> None:
        """Write what has arrived; on failure the motions are kept for another place."""
        item = task.items[task.at]
        try:
            name = item.name or str(task.motions[0].provenance["prompt"])  # a surprise names itself
            result = apply.write(task.place, task.motions, name, is_first=not task.made)
        except UserError as error:
            fixes = (*error.fixes, _PLACE_AGAIN) if _PLACE_AGAIN not in error.fixes else error.fixes
            problem = Status("ERROR", error.text, fixes)
        except MemoryError:
            problem = Status("ERROR", "There is not enough memory to write the keys. Nothing was changed.")
        except Exception as error:
            # the timer must live on, and the user must see it
            traceback.print_exc()
            problem = Status("ERROR", f"The keys could not be written: {error}.")
        else:
            task.made += result.actions
            task.report = result.report
            task.place = result.place
            if self.task is not task:  # placed later, by a button
                apply.push_undo(task.title)
                self.set_status(self._closing_line(task))
            return
        self.unplaced = task
        self.task = None
        if task.made:
            apply.push_undo(task.title)
        self.set_status(problem)

    def _item_failed(self, task: Task, event: engine.Failed) -> None:
        """A prompt on its own ends the task; a line of a batch is noted and the rest goes on."""
        dead = event.code in {"engine_died", "engine_start", "client"}
        if len(task.items) == 1 or dead:
            self.task = None
            if task.made:
                apply.push_undo(task.title)
            self.status = self._failure(event)
            return
        task.failures.append(f"'{task.items[task.at].name}': {event.message}")
        self._next()

    def _failure(self, event: engine.Failed) -> Status:
        if event.code == "engine_start":
            return Status("ERROR", event.message, (_RESTART, _OPEN_LOG))
        if event.code in {"engine_died", "client"}:
            return Status("ERROR", f"{event.message} Nothing was changed.", (_TRY_AGAIN, _OPEN_LOG))
        if event.code in {"internal", "bad_reply", "model_error", "out_of_memory"}:
            return Status("ERROR", f"{event.message} {event.fix}", (_RESTART, _OPEN_LOG))
        return Status("ERROR", f"{event.message} {event.fix}".strip())

    def _closing_line(self, task: Task) -> Status:
        notes = [f"{_count(len(task.failures), 'line')} failed: {task.failures[0]}"] if task.failures else []
        notes += [note.text for note in task.notes]
        fixes = tuple(fix for note in task.notes for fix in note.fixes)
        made = task.report if len(task.items) == 1 else f"{_count(len(task.made), 'action')} made."
        if not task.made:
            made = "Nothing was made."
        kind = "ERROR" if notes else "DONE"
        return Status(kind, " ".join([made, *notes]), fixes)

    def _drop(self) -> None:
        task, self.task = self.task, None
        if task is not None and task.job is not None and self.worker is not None:
            self.worker.cancel(task.job)

    def show(self) -> None:
        """Have the interface drawn again."""
        for listener in self.on_change:
            listener()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


session = Session()


def pump() -> bool:
    """Move the running task forward; True while one runs."""
    return session.pump()


# --- the timer --------------------------------------------------------------------------------------

_idle_ticks = 0


def _tick() -> float | None:
    """Poll fast while a task runs; a while longer, slowly, for an engine that warms up; then not at all."""
    global _idle_ticks
    running = pump()
    if running or _idle_ticks < 5:  # Blender moves the panels below only at the second drawing
        session.show()
    if running:
        _idle_ticks = 0
        return TICK_SECONDS
    _idle_ticks += 1
    return 0.2 if _idle_ticks < 300 else None


def ensure_timer() -> None:
    """Have `pump` called by Blender while there is something to do; it goes on when another file is opened."""
    global _idle_ticks
    _idle_ticks = 0
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK_SECONDS, persistent=True)


def remove_timer() -> None:
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
