# SPDX-License-Identifier: GPL-3.0-or-later
"""What the diffusion stages see of a set: windows, mirror images, composed clips, other tempi, measured captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from motion_engine import features
from motion_engine.kinematics import kinematics
from training.config import DataConfig
from training.data.compose import JOINED, composed_items
from training.data.describe import captions_from, describe
from training.data.loader import change_tempo
from training.data.motion_set import Item, MotionSet
from training.data.repeat import repeated_items
from training.data.reword import reworded
from training.data.strikes import strike_items

SEED = 7
REWORDED = 2
"""Variants in other words that an item gets at most."""

PACED = "paced"
"""Name of walks at another pace as a source of items."""

_WALKS = re.compile(r"\b(walks|walking|strolls|strides)\b")
_NO_PLAIN_WALK = re.compile(
    r"\b(runs?|running|jogs?|jumps?|sits?|climb\w*|stairs|ladder|stumbl\w*|danc\w*|sneak\w*|limp\w*|crouch\w*|ducks?)\b"
)
_PACE = re.compile(r"\b(slow\w*|fast\w*|quick\w*|brisk\w*|rapid\w*|hurr\w*|leisure\w*|rush\w*|casual\w*)\b")
_SLOW = ("slowly", "at a slow pace", "without haste", "in slow steps")
_FAST = ("quickly", "fast", "briskly", "at a brisk pace", "in a hurry", "at high speed")
SLOW_WALK, FAST_WALK = 0.75, 1.3
"""m/s: what is slower, or faster, is called so."""


def training_items(motion_set: MotionSet, data: DataConfig) -> list[Item]:
    """Items of the training split, the same ones in every run.

    Each captioned window comes mirrored too, and both once more up to ``data.tempo_jitter`` faster or slower;
    `training.data.compose` adds clips made of two, `training.data.repeat` an act done several times,
    `training.data.strikes` single punches, `paced_walks` walks that are slow or fast; `training.data.describe` adds
    captions from what is measured, `training.data.reword` the same in other words.
    """
    random = np.random.default_rng(SEED)
    windows = list(motion_set.items("train", mirrored=True))
    found = windows + composed_items(motion_set, data.joined, data.layered, data.max_frames, SEED)
    found += repeated_items(motion_set, data.repeated, data.max_frames, SEED)
    found += strike_items(motion_set, data.strikes, data.max_frames, SEED)
    described = []
    for item in found:
        measured = []
        if item.source != JOINED:  # what is measured there may be one part's alone
            measured = describe(features.decode(item.features, motion_set.fps), item.captions, random)
        more = reworded(item.captions, REWORDED, random)
        described.append(replace(item, captions=(*item.captions, *measured, *more)))
    played = []
    for item in described:
        factor = 1 + data.tempo_jitter * random.uniform(-1, 1)
        played.append(replace(item, features=change_tempo(item.features, factor)))
    return described + played + paced_walks(windows, data.paced, motion_set.fps, data.max_frames, random)


def paced_walks(
    windows: Sequence[Item], count: int, fps: float, max_frames: int, random: np.random.Generator
) -> list[Item]:
    """``count`` walks played up to a third slower, or up to 45 % faster, with captions that say the pace they have."""
    walks = [item for item in windows if _WALKS.search(item.captions[0])]
    walks = [item for item in walks if not any(map(_NO_PLAIN_WALK.search, item.captions))]
    made: list[Item] = []
    for _ in range(3 * count):
        if not walks or len(made) >= count:
            break
        item = walks[int(random.integers(len(walks)))]
        factor = random.uniform(0.66, 0.85) if random.random() < 0.4 else random.uniform(1.15, 1.45)
        rows = change_tempo(item.features, factor)
        if len(rows) > max_frames:
            continue
        measured = kinematics(features.decode(rows, fps))
        speed = measured.travel.moving_speed
        if SLOW_WALK < speed < FAST_WALK:
            continue
        plain = [caption for caption in item.captions if _WALKS.search(caption) and not _PACE.search(caption)]
        plain = [caption for caption in plain if len(caption) < 60]
        words = _SLOW if speed <= SLOW_WALK else _FAST
        said = [f"{caption} {words[int(random.integers(len(words)))]}" for caption in plain]
        said += captions_from(measured, plain, random)
        if said:
            captions = (*said, *reworded(said, REWORDED, random))
            made.append(replace(item, features=rows, captions=captions, source=PACED))
    return made
