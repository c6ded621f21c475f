# SPDX-License-Identifier: GPL-3.0-or-later
"""What the diffusion stages see of a set: windows, mirror images, composed clips, other tempi, measured captions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from motion_engine import features
from training.config import DataConfig
from training.data.compose import JOINED, composed_items
from training.data.describe import describe
from training.data.loader import change_tempo
from training.data.motion_set import Item, MotionSet

SEED = 7


def training_items(motion_set: MotionSet, data: DataConfig) -> list[Item]:
    """Items of the training split, the same ones in every run.

    Each captioned window comes mirrored too, and both once more up to ``data.tempo_jitter`` faster or slower;
    `training.data.compose` adds clips made of two; `training.data.describe` adds captions from what is measured.
    """
    random = np.random.default_rng(SEED)
    found = list(motion_set.items("train", mirrored=True))
    found += composed_items(motion_set, data.joined, data.layered, data.max_frames, SEED)
    described = []
    for item in found:
        if item.source != JOINED:  # what is measured there may be one part's alone
            motion = features.decode(item.features, motion_set.fps)
            item = replace(item, captions=(*item.captions, *describe(motion, item.captions, random)))
        described.append(item)
    played = []
    for item in described:
        factor = 1 + data.tempo_jitter * random.uniform(-1, 1)
        played.append(replace(item, features=change_tempo(item.features, factor)))
    return described + played
