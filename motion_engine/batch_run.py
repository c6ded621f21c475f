# SPDX-License-Identifier: GPL-3.0-or-later
"""Make all clips of a batch, one item after another, and go on where an earlier run stopped."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motion_engine import output
from motion_engine.batch import BatchItem, file_stem
from motion_engine.batch_manifest import FILE_NAME, Entry, Manifest
from motion_engine.engine import GenerateRequest
from motion_engine.errors import EngineError
from motion_engine.loop import cycle

if TYPE_CHECKING:
    from motion_engine.engine import Engine


@dataclass(frozen=True)
class BatchDefaults:
    """What holds for every item that does not say otherwise, and the files to write.

    Attributes
    ----------
    formats : suffixes without the dot, for instance ``("npz", "bvh")``.
    fps : rate to resample to, None for the bundle's own.
    loop : seconds of the window in which each clip is closed to a cycle, 0 for none.
    in_place : whether travel is taken out.
    """

    formats: tuple[str, ...] = ("npz",)
    duration: float = 4.0
    seed: int = 0
    sampler: str | None = None
    steps: int | None = None
    guidance: float | None = None
    tries: int | None = None
    foot_lock: bool = True
    floor: bool = True
    fps: float | None = None
    loop: float = 0.0
    in_place: bool = False


@dataclass
class Task:
    """One item that is still to be made, with its manifest entry."""

    request: GenerateRequest
    entry: Entry


def requests_for(items: Sequence[BatchItem], defaults: BatchDefaults) -> list[GenerateRequest]:
    """Requests of the items. A line that repeats an earlier one without a seed of its own goes on with the
    next seeds, so that three equal lines are three different clips."""
    used: dict[BatchItem, int] = {}
    requests = []
    for item in items:
        seed = item.seed
        if seed is None:
            kind = replace(item, line=0, seed=None, count=1, name=None)
            seed = defaults.seed + used.get(kind, 0)
            used[kind] = used.get(kind, 0) + item.count
        requests.append(
            GenerateRequest(
                prompt=item.prompt,
                duration=defaults.duration if item.duration is None else item.duration,
                seed=seed,
                count=item.count,
                sampler=item.sampler or defaults.sampler,
                steps=defaults.steps if item.steps is None else item.steps,
                guidance=defaults.guidance if item.guidance is None else item.guidance,
                tries=defaults.tries if item.tries is None else item.tries,
                foot_lock=defaults.foot_lock,
                floor=defaults.floor,
            )
        )
    return requests


def plan(
    items: Sequence[BatchItem], defaults: BatchDefaults, manifest: Manifest, bundle: dict[str, Any]
) -> tuple[list[Task], int]:
    """Match items with what the manifest says is made, and give names to the rest.

    Items that were made or planned before keep their names, whatever has moved in the list. Entries that no
    line asks for any more stay as long as no new item takes their name.

    Returns
    -------
    tasks : the items that are still to be made.
    done : number of items that were made before.
    """
    requests = requests_for(items, defaults)
    matched: list[Entry | None] = []
    taken: set[int] = set()
    for item, request in zip(items, requests, strict=True):
        found = manifest.find(item.name, _as_json(request, defaults), bundle, taken)
        matched.append(found)
        if found is not None:
            taken.add(id(found))
    used = {stem for entry in manifest.items if id(entry) in taken for stem in _entry_stems(entry)}
    foreign = {p.name.lower() for p in manifest.folder.iterdir()} - manifest.owned_files() - {FILE_NAME}
    entries: list[Entry] = []
    tasks: list[Task] = []
    for item, request, found in zip(items, requests, matched, strict=True):
        if found is None:
            wanted = file_stem(item.name) if item.name else file_stem(item.prompt.lower())
            found = {
                "name": _free_name(wanted, request.count, used, foreign, defaults.formats),
                "asked_name": item.name,
                "line": item.line,
                "status": "planned",
                "request": _as_json(request, defaults),
                "bundle": bundle,
                "error": None,
                "clips": [],
            }
            used |= _entry_stems(found)
        found["line"] = item.line
        entries.append(found)
        if not manifest.is_done(found, defaults.formats):
            tasks.append(Task(request, found))
    orphans = [
        entry
        for entry in manifest.items
        if id(entry) not in taken and not _entry_stems(entry) & used and entry.get("status") == "done"
    ]
    manifest.items = entries + orphans
    manifest.bundle = bundle
    return tasks, len(entries) - len(tasks)


def make(task: Task, engine: Engine, folder: Path, defaults: BatchDefaults) -> None:
    """Generate and write the clips of one task and fill in its manifest entry.

    Raises
    ------
    EngineError
        ``cannot_write``: the disk is full or the folder is gone, which no later item would survive either.
        An error of this request alone is recorded in the entry instead.
    """
    entry = task.entry
    try:
        motions = engine.generate(task.request)
    except EngineError as error:
        entry["status"] = "failed"
        entry["error"] = {"code": error.code, "message": error.message, "fix": error.fix}
        return
    earlier = entry["clips"]
    clips = []
    for index, motion in enumerate(motions):
        if defaults.fps:
            motion = motion.resample(defaults.fps)
        motion = cycle(motion, defaults.loop, defaults.in_place)
        files = []
        for suffix in defaults.formats:
            path = output.clip_paths(folder / f"{entry['name']}.{suffix}", len(motions))[index]
            output.save(motion, path)
            size = path.stat().st_size
            files.append({"path": path.name, "format": suffix, "sha256": output.sha256(path), "bytes": size})
        if index < len(earlier):  # the same motion, written before in another format
            files += [file for file in earlier[index]["files"] if _still_there(file, defaults, folder)]
        clips.append(
            {
                "seed": motion.provenance.get("seed", task.request.seed + index),
                "files": files,
                "quality": motion.provenance.get("quality", {}),
                "provenance": motion.provenance,
            }
        )
    entry["clips"] = clips
    entry["status"], entry["error"] = "done", None


def run(
    tasks: Sequence[Task],
    engine: Engine,
    manifest: Manifest,
    defaults: BatchDefaults,
    on_item: Callable[[Task], None],
) -> None:
    """Make every task; the manifest on disk is complete when this returns, raises or is interrupted."""
    manifest.save()
    try:
        for task in tasks:
            make(task, engine, manifest.folder, defaults)
            manifest.save_when_due()
            on_item(task)
    finally:
        manifest.save()


def _as_json(request: GenerateRequest, defaults: BatchDefaults) -> dict[str, Any]:
    made = {**asdict(request), "fps": defaults.fps}
    # only where asked, so that manifests from before these options still match
    if request.tries is None:
        del made["tries"]
    if defaults.loop:
        made["loop"] = defaults.loop
    if defaults.in_place:
        made["in_place"] = True
    return made


def _stems(name: str, count: int) -> set[str]:
    """File names without suffix of an item's clips, in lower case: what must not collide with another's."""
    return {path.name.lower() for path in output.clip_paths(Path(name + ".x"), count)}


def _entry_stems(entry: Entry) -> set[str]:
    return _stems(entry["name"], entry["request"]["count"])


def _still_there(file: dict[str, Any], defaults: BatchDefaults, folder: Path) -> bool:
    return file["format"] not in defaults.formats and (folder / file["path"]).is_file()


def _free_name(wanted: str, count: int, used: set[str], foreign: set[str], formats: tuple[str, ...]) -> str:
    """``wanted``, or ``wanted-2``, ``wanted-3`` ... : used neither by another item nor by a file not ours."""
    for number in itertools.count(1):
        name = wanted if number == 1 else f"{wanted}-{number}"
        stems = _stems(name, count)
        files = {stem.removesuffix("x") + suffix for stem in stems for suffix in formats}
        if not stems & used and not files & foreign:
            return name
    raise AssertionError("there is always a free number")
