# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays in the layout of SMPL's model files, made by formula: a cloud of vertices around every joint."""

from __future__ import annotations

import numpy as np

from motion_engine import skeleton

VERTICES = 6890
HANDS = (20, 21)


def arrays(joints: int = 24, seed: int = 0) -> dict[str, np.ndarray]:
    """A body whose average has the bones of our skeleton and whose shapes change their lengths."""
    random = np.random.default_rng(seed)
    parents = [*skeleton.PARENTS.tolist(), *(HANDS[i % 2] for i in range(joints - skeleton.N_JOINTS))]
    rest = np.zeros((joints, 3))
    rest[:22] = skeleton.REST_JOINTS + np.array([-0.002, -0.223, 0.028])
    for joint in range(22, joints):
        rest[joint] = rest[parents[joint]] + random.normal(size=3) * 0.05
    around = np.arange(VERTICES) % joints
    template = rest[around] + random.normal(size=(VERTICES, 3)) * 0.03
    # the first four vertices of a joint lie evenly around it, and the joint is their middle
    regressor = np.zeros((joints, VERTICES))
    directions = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]) * 0.03
    for joint in range(joints):
        four = np.flatnonzero(around == joint)[:4]
        template[four] = rest[joint] + directions
        regressor[joint, four] = 0.25
    # one shape makes the whole body larger, the others lengthen bones
    moves = np.zeros((joints, 3, 10))
    moves[..., 0] = 0.04 * rest
    for k in range(1, 10):
        stretch = 0.03 * random.normal(size=joints)
        for joint in range(1, joints):
            parent = parents[joint]
            moves[joint, :, k] = moves[parent, :, k] + stretch[joint] * (rest[joint] - rest[parent])
    weights = np.zeros((VERTICES, joints))
    weights[np.arange(VERTICES), around] = 0.8
    above = np.array([max(parent, 0) for parent in parents])
    np.add.at(weights, (np.arange(VERTICES), above[around]), 0.2)
    kintree = np.array([parents, range(joints)], dtype=np.int64).astype(np.uint32)
    return {
        "v_template": template,
        "shapedirs": moves[around],
        "posedirs": random.normal(size=(VERTICES, 3, (joints - 1) * 9)) * 1e-3,
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": kintree,
        "f": np.sort(random.permutation(VERTICES)[: VERTICES // 3 * 3].reshape(-1, 3)).astype(np.uint32),
    }
