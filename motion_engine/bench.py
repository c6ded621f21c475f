# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures that this project promises, measured on this machine."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from motion_engine.client import EngineProcess, start_engine
from motion_engine.errors import EngineError

if TYPE_CHECKING:
    from motion_engine.engine import Engine

CORES = 2
"""The bars hold for two CPU cores; more would flatter us."""

USUAL_BAR = 150.0
"""Milliseconds for a clip of 4 s by the bundle's default sampler, and by EMDM, whose four steps are two passes each."""

LIBRARY = 48
"""Clips that are captioned in a row."""

_WHO = ("a person", "a man", "a woman", "someone", "a tired man", "an old woman", "a child", "a dancer")
_WHAT = (
    "walks forward", "sits down on a chair", "waves with the right hand", "jumps over a box",
    "runs in a circle", "kicks a ball", "raises both arms", "turns around and walks back",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes
    ----------
    name : what was measured.
    unit : of the figures.
    bar : the promise: the median is at most this; None where nothing is promised.
    median, p95 : over ``samples`` measurements; None where nothing could be measured.
    note : why not, or what limits the figure.
    """

    name: str
    unit: str
    bar: float | None
    median: float | None = None
    p95: float | None = None
    samples: int = 0
    note: str = ""

    @property
    def verdict(self) -> str:
        """``ok``, ``MISSED``, or why there is no figure."""
        if self.median is None:
            return f"not measured here: {self.note}"
        if self.bar is None:
            return "no bar"
        return "ok" if self.median <= self.bar else "MISSED"

    @classmethod
    def of(cls, name: str, unit: str, bar: float | None, values: list[float], note: str = "") -> Row:
        """A row from its measurements."""
        ordered = sorted(values)
        p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
        return cls(name, unit, bar, statistics.median(ordered), p95, len(ordered), note)


def format_row(row: Row) -> str:
    """The row as one line of text that ends in its verdict."""
    if row.median is None:
        figures = ""
    else:
        figures = f"median {row.median:7.1f} {row.unit:2}  p95 {row.p95:7.1f} {row.unit:2}"
    note = f"({row.note})  " if row.note and row.median is not None else ""
    bar = "" if row.bar is None else f"bar <= {row.bar:g} {row.unit:2}  "
    return f"{row.name:44} {figures:38} {bar}{note}{row.verdict}"


def prompts(count: int) -> list[str]:
    """``count`` different sentences, so that no text is encoded twice."""
    pairs = [f"{who} {what}" for what in _WHAT for who in _WHO]
    return [pairs[i % len(pairs)] + " again" * (i // len(pairs)) for i in range(count)]


def measure(
    repeat: int,
    bundle: str | None = None,
    device: str = "cpu",
    backend: str = "onnx",
    blender_python: str = sys.executable,
) -> Iterator[Row]:
    """All rows, one after another.

    Parameters
    ----------
    repeat : int
        Measurements of each generation row; start-up is measured a fifth as often, at least 3 times.
    blender_python : str
        A Python in which ``import bpy`` works, for the rows about keyframes.
    """
    if hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > CORES:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    yield from _generation(repeat, bundle, device, backend)
    yield from _captions(repeat, bundle, device, backend)
    yield from _process(min(repeat, max(3, repeat // 5)), bundle, device, backend)
    yield _zip_size()
    yield from _keyframes(repeat, blender_python)


def _generation(repeat: int, bundle: str | None, device: str, backend: str) -> Iterator[Row]:
    """What somebody waits for who leaves all to the bundle; then one draw by MotionLCM, and by EMDM."""
    usual = "prompt to motion, 4 s clip"
    cases = (("MotionLCM, 4 s clip, 1 step", 4.0, 1, 40.0), ("MotionLCM, 9.8 s clip, 4 steps", 9.8, 4, 90.0))
    try:
        from motion_engine.engine import Engine

        engine = Engine.load(bundle, device=device, backend=backend, threads=CORES)
        engine.warm_up()
    except (EngineError, ImportError) as error:
        yield Row(usual, "ms", USUAL_BAR, note=str(error))
        for name, _, _, bar in cases:
            yield Row(name, "ms", bar, note=str(error))
        return
    samplers, default = engine.bundle.samplers, engine.bundle.default_sampler
    steps = samplers[default]["steps"]
    values = _time_prompts(engine, repeat, 4.0, steps, default, tries=None)
    yield Row.of(usual, "ms", USUAL_BAR, values, f"{default}, {_counted(steps)}")
    for name, duration, steps, bar in cases:
        if "motionlcm" in samplers:
            yield Row.of(name, "ms", bar, _time_prompts(engine, repeat, duration, steps, "motionlcm"))
        else:
            yield Row(name, "ms", bar, note=f"the bundle {engine.bundle.name} has no sampler motionlcm")
    if "emdm" in samplers and default != "emdm":
        steps = samplers["emdm"]["steps"]
        values = _time_prompts(engine, repeat, 4.0, steps, "emdm")
        yield Row.of(f"EMDM, 4 s clip, {_counted(steps)}", "ms", USUAL_BAR, values)


def _counted(steps: int) -> str:
    return f"{steps} step{'' if steps == 1 else 's'}"


def _captions(repeat: int, bundle: str | None, device: str, backend: str) -> Iterator[Row]:
    """One clip for which somebody waits, and a library of clips in a row."""
    alone = ("caption of a 6 s clip", "ms", 150.0)
    many = (f"caption of a 6 s clip, {LIBRARY} in a row, each", "ms", 120.0)
    try:
        from motion_engine.bundle import find_for
        from motion_engine.captioning.captioner import MANY_TOGETHER
        from motion_engine.engine import Clip, Engine, GenerateRequest

        engine = Engine(find_for("motion_to_text", bundle), device, backend, CORES)
        made = [
            engine.generate(GenerateRequest(prompt, duration=6.0, seed=seed))[0]
            for seed, prompt in enumerate(prompts(LIBRARY))
        ]
        clips = [Clip.of(motion) for motion in made]
        values = []
        for index in range(repeat + 3):
            start = time.perf_counter()
            engine.caption([clips[index % LIBRARY]])
            values.append((time.perf_counter() - start) * 1e3)
        together = []
        for _ in range(max(repeat // 10, 1)):
            start = time.perf_counter()
            engine.caption(clips, together=MANY_TOGETHER)
            together.append((time.perf_counter() - start) * 1e3 / LIBRARY)
    except (EngineError, ImportError) as error:
        yield Row(*alone, note=str(error))
        yield Row(*many, note=str(error))
        return
    yield Row.of(*alone, values[3:])
    yield Row.of(*many, together)


def _time_prompts(
    engine: Engine, repeat: int, duration: float, steps: int, sampler: str, tries: int | None = 1
) -> list[float]:
    """Milliseconds of each of ``repeat`` generations, after three that are not counted."""
    from motion_engine.engine import GenerateRequest

    values = []
    for seed, prompt in enumerate(prompts(repeat + 3)):
        request = GenerateRequest(
            prompt=prompt, duration=duration, seed=seed, steps=steps, sampler=sampler, tries=tries
        )
        start = time.perf_counter()
        engine.generate(request)
        values.append((time.perf_counter() - start) * 1e3)
    return values[3:]


def _process(repeat: int, bundle: str | None, device: str, backend: str) -> Iterator[Row]:
    """Start the real server, wait until it is ready, let it work, look at its memory."""
    start_row = ("engine start to ready", "s", 2.5)
    memory_row = ("engine resident memory after generating", "MB", 600.0)
    cancel_row = ("cancel to stopped, 9.8 s clip, 4 samples", "ms", 50.0)
    seconds: list[float] = []
    megabytes: list[float] = []
    stops: list[float] = []
    options = ["--device", device, "--backend", backend, "--threads", str(CORES)]
    options += ["--bundle", bundle] if bundle else []
    try:
        import psutil

        for seed in range(repeat):
            start = time.perf_counter()
            with start_engine(options) as engine:
                engine.wait_until_ready()
                seconds.append(time.perf_counter() - start)
                whole = {"prompt": "a person walks", "duration": 9.8}
                # loads the networks of controls beside those of the default sampler
                parts = {"prompts": [{"text": "a person walks", "duration": 4.9}] * 2}
                for body in (whole, parts):
                    for _ in engine.generate({**body, "seed": seed}):
                        pass
                megabytes.append(psutil.Process(engine.pid).memory_info().rss / 1e6)
                stops += [_time_cancel(engine) for _ in range(4)]
    except (EngineError, ImportError, OSError) as error:
        for row in (start_row, memory_row, cancel_row):
            yield Row(*row, note=str(error))
        return
    yield Row.of(*start_row, seconds)
    yield Row.of(*memory_row, megabytes)
    yield Row.of(*cancel_row, stops)


def _time_cancel(engine: EngineProcess) -> float:
    """Milliseconds from the cancel call to the end of the job's stream, in the middle of many steps."""
    health = engine.call("GET", "/v1/health")
    sampler = "mld" if "mld" in health["bundles"][0]["samplers"] else None
    body = {"prompt": "a person dances", "duration": 9.8, "count": 4, "sampler": sampler}
    start = 0.0
    for event in engine.generate(body):
        if event["event"] == "progress" and event["step"] == 2:
            start = time.perf_counter()
            engine.call("DELETE", f"/v1/jobs/{event['job']}")
    return (time.perf_counter() - start) * 1e3


def _zip_size() -> Row:
    name, bar = "extension zip, largest", 150.0
    built = (Path(__file__).resolve().parents[1] / "dist").glob("*.zip")
    zips = [file for file in built if not file.name.startswith("motion-prompt-model-")]  # packs of models
    if not zips:
        return Row(name, "MB", bar, note="no dist/*.zip; run 'python build_addon.py' in a checkout")
    return Row.of(name, "MB", bar, [max(path.stat().st_size for path in zips) / 1e6])


def _keyframes(repeat: int, blender_python: str) -> Iterator[Row]:
    """The add-on's own measurement, in a Python that has Blender: this package never imports bpy."""
    whole_name, whole_bar = "retarget + keyframes, 300 frames", 100.0
    keys_name, keys_bar = "keyframes alone, 300 frames", 30.0
    command = [blender_python, "-m", "blender_addon.bench", str(repeat)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        figures = json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
        note = f"{Path(blender_python).name} has no bpy, or no blender_addon here; see --blender-python"
        yield Row(whole_name, "ms", whole_bar, note=note)
        yield Row(keys_name, "ms", keys_bar, note=note)
        return
    note = f"default character, Blender {figures['blender']}"
    yield Row.of(whole_name, "ms", whole_bar, figures["whole_ms"], note)
    yield Row.of(keys_name, "ms", keys_bar, figures["keys_ms"], note)
    note = f"generated Rigify human, Blender {figures['blender']}"
    yield Row.of(whole_name, "ms", whole_bar, figures["rigify_whole_ms"], note)
    yield Row.of(keys_name, "ms", keys_bar, figures["rigify_keys_ms"], note)
