# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which one and the same rig comes: poses, sizes, places, rolls, rotation modes, bodies."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from addon_rig_tables import Rig
from mathutils import Matrix
from rig_bodies import CHILD, GIANT, SAME, Body, Proportions, RestPose, posed, proportioned, reference
from rig_measure import Figure
from rig_styles import METRES, T_POSE, Style, make_armature

from blender_addon import bench
from motion_engine import skeleton

MODES = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "AXIS_ANGLE")
_PLACE = Matrix.Translation((3.0, -2.0, 0.5))
_TURN = Matrix.Rotation(2.0, 4, "Z")
_TILT = Matrix.Rotation(0.4, 4, "X")


@dataclass(frozen=True)
class Variation:
    """A change to a family's rig as it comes.

    Attributes
    ----------
    title : for the table.
    rest : rest pose in place of the family's own.
    shape : proportions.
    space : from the upright body in metres to armature space, in place of the family's own.
    world : where the body is put in the world.
    stretch : scale of the object's three axes on top.
    rolls, modes : random rolls, one of seven rotation modes for each bone.
    """

    title: str
    rest: RestPose | None = None
    shape: Proportions = SAME
    space: Matrix | None = None
    world: Matrix = METRES
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)
    rolls: bool = False
    modes: bool = False


AS_IT_COMES = Variation("as the family comes")
VARIATIONS = (
    AS_IT_COMES,
    Variation("T-pose", T_POSE),
    Variation("A-pose, arms 45° down", RestPose(arms=45.0, elbows=10.0)),
    Variation("armature in centimetres, object scaled by 0.01", space=Matrix.Scale(100, 4)),
    Variation("character 0.01 times as large", world=Matrix.Scale(0.01, 4)),
    Variation("character 100 times as large", world=Matrix.Scale(100, 4)),
    Variation("object moved and turned", world=_PLACE @ _TURN),
    Variation("object moved, turned and tilted", world=_PLACE @ _TURN @ _TILT),
    Variation("object stretched (1.1, 0.9, 1.2)", stretch=(1.1, 0.9, 1.2)),
    Variation("random rolls", rolls=True),
    Variation("a different rotation mode for every bone", modes=True),
    Variation("child, 0.9 m", shape=CHILD),
    Variation("giant, 2.4 m", shape=GIANT),
)


def build(style: Style, table: Rig, variation: Variation) -> Figure:
    """The family's rig with the variation, in the scene."""
    rest = style.rest if variation.rest is None else variation.rest
    body = posed(proportioned(reference(table), variation.shape), rest)
    random = np.random.default_rng(0)
    target = make_armature(body, style, space=variation.space, rolls=random if variation.rolls else None)
    if variation.modes:
        for bone, start in zip(target.pose.bones, random.integers(len(MODES), size=1000), strict=False):
            bone.rotation_mode = MODES[start]
    stretch = Matrix.Diagonal((*variation.stretch, 1.0))
    upright = target.matrix_world.copy()
    target.matrix_world = variation.world @ stretch @ upright
    bpy.context.view_layer.update()
    return figure_of(target, body, variation, stretch)


def figure_of(target: bpy.types.Object, body: Body, variation: Variation, stretch: Matrix) -> Figure:
    """What is known of the rig from how it was made."""
    size = np.array(stretch)[:3, :3].diagonal()
    same = variation.shape is SAME and variation.stretch == (1.0, 1.0, 1.0)
    balls = body.balls if "left_foot" in body.rig.joints else body.soles[:, 2]
    return Figure(
        target, dict(body.rig.joints), body.heads() * size, body.soles * size, balls * size,
        variation.world.copy(), same,
    )  # fmt: skip


def rigify_human() -> Figure:
    """The Rigify human that Blender generates, on its own proportions; measured on its deform bones."""
    target = bench.rigify_human()
    bones = {
        "pelvis": "spine", "spine1": "spine.001", "spine2": "spine.002", "spine3": "spine.003", "neck": "spine.004",
        "head": "spine.006",
    }  # fmt: skip
    limbs = {
        "hip": "thigh", "knee": "shin", "ankle": "foot", "foot": "toe", "collar": "shoulder", "shoulder": "upper_arm",
        "elbow": "forearm", "wrist": "hand",
    }  # fmt: skip
    for side, letter in (("left", "L"), ("right", "R")):
        bones |= {f"{side}_{part}": f"{bone}.{letter}" for part, bone in limbs.items()}
    deform = {joint: f"DEF-{bone}" for joint, bone in bones.items()}
    heads = {joint: np.array(target.data.bones[bone].head_local) for joint, bone in deform.items()}
    balls = np.array([heads["left_foot"], heads["right_foot"]])
    ends = [target.data.bones[f"DEF-toe.{letter}"].tail_local for letter in "LR"]
    ankles = [heads["left_ankle"], heads["right_ankle"]]
    soles = np.array(
        [[ankle + [0.0, 0.05, 0.0], ball, end] for ankle, ball, end in zip(ankles, balls, ends, strict=True)]
    )
    soles[..., 2] = 0.0
    rest = np.array([heads[joint] for joint in skeleton.JOINT_NAMES])
    return Figure(target, deform, rest, soles, balls, Matrix(), False)
