# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays and motions survive the wire; damaged ones are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from motion_engine.motion import Motion
from motion_engine.wire import decode_array, decode_motion, encode_array, encode_motion


def test_motion_survives():
    rotations = np.random.default_rng(0).normal(size=(7, 22, 4))
    motion = Motion.from_rotations(rotations, np.zeros((7, 3)), 20.0, {"prompt": "ein Mann läuft", "seed": 3})
    again = decode_motion(json.loads(json.dumps(encode_motion(motion))))
    for name in ("joints", "rotations", "root", "contacts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(motion, name))
    assert (again.fps, again.provenance) == (motion.fps, motion.provenance)


@pytest.mark.parametrize(
    "array", [np.zeros((0, 3), "f4"), np.arange(6.0).reshape(2, 3).T, np.array([True, False])]
)
def test_array_survives(array: np.ndarray):
    again = decode_array(encode_array(array))
    np.testing.assert_array_equal(again, array)
    again[...] = 0  # a caller may change it


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2, 2]},
        {"shape": [-1]},
        {"dtype": "object"},
        {"data": "???"},
        {"data": None},
        {"shape": "x"},
    ],
)
def test_damaged_array_is_refused(change: dict):
    with pytest.raises(ValueError, match=r"rray"):
        decode_array(encode_array(np.zeros(3, "f4")) | change)


def test_motion_without_a_part_is_refused():
    with pytest.raises(ValueError, match="Not an encoded motion"):
        decode_motion({"fps": 20})
