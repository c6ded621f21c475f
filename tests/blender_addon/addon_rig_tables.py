# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs of many families as tables: true bone names, parents, and rest positions of a plain body.

A table gives the trunk's six bones, the eight of a side, both side tokens, and lines for what else the family has:
``name < parent @ place``, or ``name < parent > child @ place`` for a bone between two others. ``{}`` is the side.
Names are facts taken from the makers' documents and from public rigs; positions are those of one body for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from motion_engine import quaternion as quat
from motion_engine import skeleton

TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
PARTS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")
J = skeleton.JOINT


@dataclass
class Rig:
    """One rig: its family, bone -> parent, bone -> (2, 3) head and tail, joint -> bone as it should be found."""

    family: str
    parents: dict[str, str | None] = field(default_factory=dict)
    rest: dict[str, np.ndarray] = field(default_factory=dict)
    joints: dict[str, str] = field(default_factory=dict)

    def renamed(self, name_of: dict[str, str]) -> Rig:
        """The same rig with other names."""
        return Rig(
            self.family,
            {name_of[b]: name_of[p] if p is not None else None for b, p in self.parents.items()},
            {name_of[b]: ends for b, ends in self.rest.items()},
            {joint: name_of[b] for joint, b in self.joints.items()},
        )

    def moved(self, matrix: np.ndarray) -> Rig:
        """The same rig with its positions transformed by a matrix (3, 3)."""
        rest = {bone: ends @ np.asarray(matrix).T for bone, ends in self.rest.items()}
        return Rig(self.family, dict(self.parents), rest, dict(self.joints))


def body_places(lower_arms: float = 0.0) -> dict[str, np.ndarray]:
    """Positions by name in a frame whose +Z is up and that faces -Y; ``lower_arms`` in degrees makes an A-pose."""
    joints = np.zeros((22, 3))
    for joint in range(1, 22):
        joints[joint] = joints[skeleton.PARENTS[joint]] + skeleton.REST_OFFSETS[joint]
    joints[:, 1] += skeleton.REST_PELVIS_HEIGHT
    at = {name: np.array([x, -z, y]) for name, (x, y, z) in zip(skeleton.JOINT_NAMES, joints, strict=True)}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder = at[f"{side}_shoulder"]
        turn = quat.from_axis_angle(np.array([0.0, sign * np.radians(lower_arms), 0.0]))
        for part in ("elbow", "wrist"):
            at[f"{side}_{part}"] = shoulder + quat.rotate(turn, at[f"{side}_{part}"] - shoulder)
        out = at[f"{side}_wrist"] - at[f"{side}_elbow"]
        out /= np.linalg.norm(out)
        for finger in range(5):
            for n in range(1, 5):
                spread = np.array([0.0, 0.02 * (finger - 2), 0.0])
                at[f"{side}_finger{finger}{n}"] = at[f"{side}_wrist"] + out * (0.05 + 0.03 * n) + spread
        at[f"{side}_palm"] = at[f"{side}_wrist"] + 0.03 * out
        at[f"{side}_hand_tip"] = at[f"{side}_wrist"] + 0.18 * out
        at[f"{side}_toe_tip"] = at[f"{side}_foot"] + [0.0, -0.07, 0.0]
        at[f"{side}_heel"] = at[f"{side}_ankle"] + [0.0, 0.05, -0.06]
        at[f"{side}_eye"] = at["head"] + [sign * 0.03, -0.08, 0.06]
        at[f"{side}_hair"] = at["head"] + [sign * 0.09, 0.05, 0.1]
        at[f"{side}_hair_end"] = at["head"] + [sign * 0.12, 0.1, -0.5]
        at[f"{side}_skirt"] = at[f"{side}_hip"] + [sign * 0.05, 0.05, 0.0]
        at[f"{side}_skirt_end"] = at[f"{side}_hip"] + [sign * 0.2, 0.12, -0.45]
        at[f"{side}_pole"] = at[f"{side}_knee"] + [0.0, -0.5, 0.0]
    at["crown"] = at["head"] + [0.0, 0.0, 0.19]
    at["jaw"] = at["head"] + [0.0, -0.05, 0.01]
    at["ground"] = np.zeros(3)
    at["tail"] = at["pelvis"] + [0.0, 0.1, 0.0]
    at["tail_end"] = at["pelvis"] + [0.0, 0.6, -0.2]
    return at


def place(text: str, at: dict[str, np.ndarray]) -> np.ndarray:
    """``left_knee``, or ``left_hip~left_knee~0.5`` for a point between two."""
    if "~" in text:
        a, b, share = text.split("~")
        return at[a] + (at[b] - at[a]) * float(share)
    return at[text]


def fingers(pattern: str, of: str, last: int = 3) -> list[str]:
    """Lines for five fingers; ``{f}`` and ``{n}`` in the pattern are the finger and the number."""
    thumb, index, middle, ring, pinky = of.split()
    lines = []
    for number, finger in enumerate((thumb, index, middle, ring, pinky)):
        above = "@wrist"
        for n in range(1, last + 1):
            name = pattern.replace("{f}", finger).replace("{n}", str(n))
            lines.append(f"{name} < {above} @ {{side}}_finger{number}{n}")
            above = name
    return lines


HAND = "Thumb Index Middle Ring Pinky"


def make(
    family: str,
    trunk: str,
    limbs: str,
    sides: str,
    extras: Iterable[str] = (),
    *,
    lower_arms: float = 0.0,
    expect: dict[str, str] | None = None,
    tails: dict[str, str] | None = None,
) -> Rig:
    """Build a rig from its table; ``-`` stands for a joint that the family does not have.

    ``tails`` says where bones end that would not be known from the others: name -> place.
    """
    at = body_places(lower_arms)
    rig = Rig(family)
    joints = {joint: name for joint, name in zip(TRUNK, trunk.split(" ; "), strict=True) if name != "-"}
    for side, token in zip(("left", "right"), sides.split(" ; "), strict=True):
        for part, name in zip(PARTS, limbs.split(" ; "), strict=True):
            if name != "-":
                joints[f"{side}_{part}"] = name.replace("{}", token)
    rig.joints = {joint: joints[joint] for joint in skeleton.JOINT_NAMES if joint in joints}
    heads: dict[str, np.ndarray] = {}
    for joint, bone in rig.joints.items():
        above = int(skeleton.PARENTS[J[joint]])
        while above >= 0 and skeleton.JOINT_NAMES[above] not in joints:
            above = int(skeleton.PARENTS[above])
        rig.parents[bone] = joints[skeleton.JOINT_NAMES[above]] if above >= 0 else None
        heads[bone] = at[joint]
    for line in extras:
        tokens = sides.split(" ; ") if "{" in line else [""]
        for side, token in zip(("left", "right"), tokens, strict=False):
            text = line.replace("{side}", side).replace("{}", token)
            name, rest = (part.strip() for part in text.split(" < "))
            relation, where = (part.strip() for part in rest.split(" @ "))
            above, _, below = (part.strip() for part in relation.partition(" > "))
            above = rig.joints[f"{side}_{above[1:]}"] if above.startswith("@") else above
            heads[name] = place(where, at)
            rig.parents[name] = None if above == "-" else above
            for child in filter(None, (one.strip() for one in below.split(","))):
                rig.parents[child] = name
    _tails(rig, heads)
    for side, token in zip(("left", "right"), sides.split(" ; "), strict=True):
        for name, where in (tails or {}).items():
            bone = name.replace("{}", token)
            rig.rest[bone] = np.stack([heads[bone], place(where.replace("{side}", side), at)])
    rig.joints |= expect or {}
    return rig


def _tails(rig: Rig, heads: dict[str, np.ndarray]) -> None:
    """A bone ends at its first child, a last one goes on as its parent does."""
    for bone, above in rig.parents.items():
        child = next(
            (b for b, p in rig.parents.items() if p == bone and np.any(heads[b] != heads[bone])), None
        )
        if child is not None:
            tail = heads[child]
        elif above is not None and np.any(heads[above] != heads[bone]):
            tail = heads[bone] + 0.3 * (heads[bone] - heads[above])
        else:
            tail = heads[bone] + [0.0, 0.0, 0.1]
        rig.rest[bone] = np.stack([heads[bone], tail])


MIXAMO_LIMBS = "{}UpLeg ; {}Leg ; {}Foot ; {}ToeBase ; {}Shoulder ; {}Arm ; {}ForeArm ; {}Hand"
UE_LIMBS = "thigh_{} ; calf_{} ; foot_{} ; ball_{} ; clavicle_{} ; upperarm_{} ; lowerarm_{} ; hand_{}"
RIGIFY_LIMBS = "thigh.{} ; shin.{} ; foot.{} ; toe.{} ; shoulder.{} ; upper_arm.{} ; forearm.{} ; hand.{}"
SMPL_LIMBS = "{}_hip ; {}_knee ; {}_ankle ; {}_foot ; {}_collar ; {}_shoulder ; {}_elbow ; {}_wrist"
FINGERS_LOW = "thumb index middle ring pinky"
LR, LOW, WORDS = "L ; R", "l ; r", "Left ; Right"

UE_EXTRAS = [
    "ik_foot_root < root @ ground", "ik_foot_{} < ik_foot_root @ {side}_ankle",
    "ik_hand_root < root @ ground", "ik_hand_gun < ik_hand_root @ right_wrist",
    "ik_hand_{} < ik_hand_gun @ {side}_wrist",
    "thigh_twist_01_{} < thigh_{} @ {side}_hip~{side}_knee~0.5",
    "calf_twist_01_{} < calf_{} @ {side}_knee~{side}_ankle~0.5",
    "upperarm_twist_01_{} < upperarm_{} @ {side}_shoulder~{side}_elbow~0.5",
    "lowerarm_twist_01_{} < lowerarm_{} @ {side}_elbow~{side}_wrist~0.7",
    *fingers("{f}_0{n}_{}", FINGERS_LOW),
]  # fmt: skip


def _with_prefix(rig: Rig, prefix: str) -> Rig:
    return rig.renamed({bone: prefix + bone for bone in rig.parents})


def rigs(lower_arms: float = 0.0) -> dict[str, Rig]:
    """Every table, by a name of its own; the family it should be found as is in the rig."""
    a = {"lower_arms": lower_arms}
    mixamo = make(
        "Mixamo", "Hips ; Spine ; Spine1 ; Spine2 ; Neck ; Head", MIXAMO_LIMBS, WORDS,
        ["HeadTop_End < Head @ crown", "{}Toe_End < {}ToeBase @ {side}_toe_tip", "{}Eye < Head @ {side}_eye",
         *fingers("{}Hand{f}{n}", HAND, 4)], **a,
    )  # fmt: skip
    smpl = make(
        "SMPL", "Pelvis ; Spine1 ; Spine2 ; Spine3 ; Neck ; Head",
        "{}_Hip ; {}_Knee ; {}_Ankle ; {}_Foot ; {}_Collar ; {}_Shoulder ; {}_Elbow ; {}_Wrist", LR,
        ["{}_Hand < {}_Wrist @ {side}_palm"], **a,
    )  # fmt: skip
    smplx_trunk = "pelvis ; spine1 ; spine2 ; spine3 ; neck ; head"
    hands = fingers("{}_{f}{n}", FINGERS_LOW)
    table = {
        "mixamo_bare": mixamo,
        "mixamo": _with_prefix(mixamo, "mixamorig:"),
        "mixamo_numbered": _with_prefix(mixamo, "mixamorig3:"),
        "mixamo_underscore": _with_prefix(mixamo, "mixamorig_"),
        "humanik": make(
            "HumanIK", "Hips ; Spine ; Spine2 ; Spine3 ; Neck ; Head", MIXAMO_LIMBS, WORDS,
            ["Reference < - > Hips @ ground", "Spine1 < Spine > Spine2 @ spine1~spine2~0.5",
             "{}UpLegRoll < {}UpLeg @ {side}_hip~{side}_knee~0.5",
             "{}ArmRoll < {}Arm @ {side}_shoulder~{side}_elbow~0.5", *fingers("{}Hand{f}{n}", HAND)], **a,
        ),
        "cmu": make(
            "CMU BVH", "Hips ; LowerBack ; Spine ; Spine1 ; Neck ; Head", MIXAMO_LIMBS, WORDS,
            ["LHipJoint < Hips > LeftUpLeg @ pelvis", "RHipJoint < Hips > RightUpLeg @ pelvis",
             "Neck1 < Neck > Head @ neck~head~0.5", "{}FingerBase < {}Hand @ {side}_palm",
             "{}HandFinger1 < {}FingerBase @ {side}_finger11", "LThumb < LeftHand @ left_finger01",
             "RThumb < RightHand @ right_finger01"], **a,
        ),
        "cmu_asf": make(
            "CMU ASF", "root ; lowerback ; upperback ; thorax ; lowerneck ; head",
            "{}femur ; {}tibia ; {}foot ; {}toes ; {}clavicle ; {}humerus ; {}radius ; {}wrist", LOW,
            ["{}hipjoint < root > {}femur @ pelvis", "upperneck < lowerneck > head @ neck~head~0.5",
             "{}hand < {}wrist @ {side}_palm", "{}fingers < {}hand @ {side}_finger21",
             "{}thumb < {}wrist @ {side}_finger01"], **a,
        ),
        "soma": make(
            "SOMA", "Hips ; Spine1 ; Spine2 ; Chest ; Neck1 ; Head",
            "{}Leg ; {}Shin ; {}Foot ; {}ToeBase ; {}Shoulder ; {}Arm ; {}ForeArm ; {}Hand", WORDS,
            ["Neck2 < Neck1 > Head @ neck~head~0.5", "Jaw < Head @ jaw", "{}Eye < Head @ {side}_eye",
             "{}ToeEnd < {}ToeBase @ {side}_toe_tip", *fingers("{}Hand{f}{n}", HAND)], **a,
        ),
        "rokoko": make(
            "Rokoko", "Hips ; Spine1 ; Spine3 ; Spine4 ; Neck ; Head",
            "{}Thigh ; {}Shin ; {}Foot ; {}Toe ; {}Shoulder ; {}Arm ; {}ForeArm ; {}Hand", WORDS,
            ["Spine2 < Spine1 > Spine3 @ spine1~spine2~0.5"], **a,
        ),
        "ue4": make(
            "Unreal Mannequin (UE4)", "pelvis ; spine_01 ; spine_02 ; spine_03 ; neck_01 ; head", UE_LIMBS, LOW,
            ["root < - > pelvis @ ground", *UE_EXTRAS], **a,
        ),
        "ue5": make(
            "Unreal Mannequin (UE5)", "pelvis ; spine_01 ; spine_03 ; spine_05 ; neck_01 ; head", UE_LIMBS, LOW,
            ["root < - > pelvis @ ground", "spine_02 < spine_01 > spine_03 @ spine1~spine2~0.5",
             "spine_04 < spine_03 > spine_05 @ spine2~spine3~0.5", "neck_02 < neck_01 > head @ neck~head~0.5",
             *UE_EXTRAS], **a,
        ),
        "mpfb_game": make(
            "MakeHuman (game engine)", "pelvis ; spine_01 ; spine_02 ; spine_03 ; neck_01 ; head", UE_LIMBS, LOW,
            ["Root < - > pelvis @ ground", *fingers("{f}_0{n}_{}", FINGERS_LOW)], **a,
        ),
        "mpfb_default": make(
            "MakeHuman (default)", "root ; spine05 ; spine03 ; spine01 ; neck01 ; head",
            "upperleg01.{} ; lowerleg01.{} ; foot.{} ; toe2-1.{} ; clavicle.{} ; upperarm01.{} ; "
            "lowerarm01.{} ; wrist.{}", LR,
            ["pelvis.{} < root > upperleg01.{} @ pelvis~{side}_hip~0.2",
             "upperleg02.{} < upperleg01.{} > lowerleg01.{} @ {side}_hip~{side}_knee~0.5",
             "lowerleg02.{} < lowerleg01.{} > foot.{} @ {side}_knee~{side}_ankle~0.5",
             "spine04 < spine05 > spine03 @ spine1~spine2~0.5", "spine02 < spine03 > spine01 @ spine2~spine3~0.5",
             "neck02 < neck01 > head @ neck~head~0.4", "neck03 < neck02 > head @ neck~head~0.7",
             "shoulder01.{} < clavicle.{} > upperarm01.{} @ {side}_collar~{side}_shoulder~0.6",
             "upperarm02.{} < upperarm01.{} > lowerarm01.{} @ {side}_shoulder~{side}_elbow~0.5",
             "lowerarm02.{} < lowerarm01.{} > wrist.{} @ {side}_elbow~{side}_wrist~0.5",
             "jaw < head @ jaw", "eye.{} < head @ {side}_eye",
             *(f"toe{n}-1.{{}} < foot.{{}} @ {{side}}_foot" for n in (1, 3, 4, 5)),
             *(f"toe{n}-2.{{}} < toe{n}-1.{{}} @ {{side}}_toe_tip" for n in range(1, 6)),
             *fingers("finger{f}-{n}.{}", "1 2 3 4 5")], **a,
        ),
        "mpfb_no_toes": make(
            "MakeHuman (default)", "root ; spine05 ; spine03 ; spine01 ; neck01 ; head",
            "upperleg01.{} ; lowerleg01.{} ; foot.{} ; - ; clavicle.{} ; upperarm01.{} ; lowerarm01.{} ; wrist.{}", LR,
            ["pelvis.{} < root > upperleg01.{} @ pelvis~{side}_hip~0.2",
             "upperleg02.{} < upperleg01.{} > lowerleg01.{} @ {side}_hip~{side}_knee~0.5",
             "lowerleg02.{} < lowerleg01.{} > foot.{} @ {side}_knee~{side}_ankle~0.5",
             "spine04 < spine05 > spine03 @ spine1~spine2~0.5", "spine02 < spine03 > spine01 @ spine2~spine3~0.5",
             "neck02 < neck01 > head @ neck~head~0.4", "neck03 < neck02 > head @ neck~head~0.7",
             "shoulder01.{} < clavicle.{} > upperarm01.{} @ {side}_collar~{side}_shoulder~0.6",
             "upperarm02.{} < upperarm01.{} > lowerarm01.{} @ {side}_shoulder~{side}_elbow~0.5",
             "lowerarm02.{} < lowerarm01.{} > wrist.{} @ {side}_elbow~{side}_wrist~0.5",
             "jaw < head @ jaw", "eye.{} < head @ {side}_eye",
             *fingers("finger{f}-{n}.{}", "1 2 3 4 5")], tails={"foot.{}": "{side}_foot"}, **a,
        ),
        "mpfb_cmu_mb": make(
            "CMU BVH", "Hips ; LowerBack ; Spine ; Spine1 ; Neck ; Head", MIXAMO_LIMBS, WORDS,
            ["LHipJoint < Hips > LeftUpLeg @ pelvis", "RHipJoint < Hips > RightUpLeg @ pelvis",
             "Neck1 < Neck > Head @ neck~head~0.5"], **a,
        ),
        "vroid": make(
            "VRoid", "J_Bip_C_Hips ; J_Bip_C_Spine ; J_Bip_C_Chest ; J_Bip_C_UpperChest ; J_Bip_C_Neck ; J_Bip_C_Head",
            "J_Bip_{}_UpperLeg ; J_Bip_{}_LowerLeg ; J_Bip_{}_Foot ; J_Bip_{}_ToeBase ; J_Bip_{}_Shoulder ; "
            "J_Bip_{}_UpperArm ; J_Bip_{}_LowerArm ; J_Bip_{}_Hand", LR,
            ["Root < - > J_Bip_C_Hips @ ground", "J_Adj_{}_FaceEye < J_Bip_C_Head @ {side}_eye",
             "J_Sec_{}_Hair1 < J_Bip_C_Head @ {side}_hair", "J_Sec_{}_Hair2 < J_Sec_{}_Hair1 @ {side}_hair_end",
             "J_Sec_{}_Skirt1 < J_Bip_C_Hips @ {side}_skirt", "J_Sec_{}_Skirt2 < J_Sec_{}_Skirt1 @ {side}_skirt_end",
             "J_Sec_{}_Skirt3 < J_Sec_{}_Skirt2 @ {side}_skirt_end~{side}_ankle~0.5",
             *fingers("J_Bip_{}_{f}{n}", "Thumb Index Middle Ring Little")], **a,
        ),
        "vrm_addon": make(
            "VRM", "hips ; spine ; chest ; upper_chest ; neck ; head",
            "upper_leg.{} ; lower_leg.{} ; foot.{} ; toes.{} ; shoulder.{} ; upper_arm.{} ; lower_arm.{} ; hand.{}", LR,
            ["root < - > hips @ ground", "eye.{} < head @ {side}_eye"], **a,
        ),
        "vrm_humanoid": make(
            "VRM (humanoid names)", "hips ; spine ; chest ; upperChest ; neck ; head",
            "{}UpperLeg ; {}LowerLeg ; {}Foot ; {}Toes ; {}Shoulder ; {}UpperArm ; {}LowerArm ; {}Hand", "left ; right",
            ["{}Eye < head @ {side}_eye"], **a,
        ),
        "unity": make(
            "Unity Humanoid", "Hips ; Spine ; Chest ; UpperChest ; Neck ; Head",
            "{}UpperLeg ; {}LowerLeg ; {}Foot ; {}Toes ; {}Shoulder ; {}UpperArm ; {}LowerArm ; {}Hand", WORDS,
            ["Jaw < Head @ jaw", "{}Eye < Head @ {side}_eye", *fingers("{} {f} {n}", "Thumb Index Middle Ring Little")],
            **a,
        ),
        "smplx": make(
            "SMPL-X", smplx_trunk, SMPL_LIMBS, "left ; right",
            ["jaw < head @ jaw", "{}_eye_smplhf < head @ {side}_eye", *hands], **a,
        ),
        "smplh": make("SMPL-H", smplx_trunk, SMPL_LIMBS, "left ; right", hands, **a),
        "smpl": smpl,
        "smpl_fbx": _with_prefix(smpl, "m_avg_"),
        "daz_g8": make(
            "Daz Genesis 3/8", "hip ; abdomenLower ; abdomenUpper ; chestUpper ; neckLower ; head",
            "{}ThighBend ; {}Shin ; {}Foot ; {}Toe ; {}Collar ; {}ShldrBend ; {}ForearmBend ; {}Hand", LOW,
            ["root < - > hip @ ground", "pelvis < hip > lThighBend, rThighBend @ pelvis",
             "{}ThighTwist < {}ThighBend > {}Shin @ {side}_hip~{side}_knee~0.5",
             "chestLower < abdomenUpper > chestUpper @ spine2~spine3~0.5",
             "neckUpper < neckLower > head @ neck~head~0.5",
             "{}ShldrTwist < {}ShldrBend > {}ForearmBend @ {side}_shoulder~{side}_elbow~0.5",
             "{}ForearmTwist < {}ForearmBend > {}Hand @ {side}_elbow~{side}_wrist~0.5",
             "{}Metatarsals < {}Foot > {}Toe @ {side}_ankle~{side}_foot~0.4", "{}BigToe < {}Toe @ {side}_toe_tip",
             *fingers("{}{f}{n}", "Thumb Index Mid Ring Pinky")], **a,
        ),
        "daz_g9": make(
            "Daz Genesis 9", "hip ; spine1 ; spine2 ; spine4 ; neck1 ; head",
            "{}_thigh ; {}_shin ; {}_foot ; {}_toes ; {}_shoulder ; {}_upperarm ; {}_forearm ; {}_hand", LOW,
            ["root < - > hip @ ground", "pelvis < hip > l_thigh, r_thigh @ pelvis",
             "spine3 < spine2 > spine4 @ spine2~spine3~0.5", "neck2 < neck1 > head @ neck~head~0.5",
             "{}_thightwist1 < {}_thigh @ {side}_hip~{side}_knee~0.3",
             "{}_thightwist2 < {}_thigh @ {side}_hip~{side}_knee~0.6",
             "{}_upperarmtwist1 < {}_upperarm @ {side}_shoulder~{side}_elbow~0.4",
             "{}_metatarsals < {}_foot > {}_toes @ {side}_ankle~{side}_foot~0.4",
             "{}_bigtoe1 < {}_toes @ {side}_toe_tip",
             *fingers("{}_{f}{n}", "thumb index mid ring pinky")], **a,
        ),
        "poser": make(
            "Daz Genesis 1/2, Poser", "hip ; abdomen ; abdomen2 ; chest ; neck ; head",
            "{}Thigh ; {}Shin ; {}Foot ; {}Toe ; {}Collar ; {}Shldr ; {}ForeArm ; {}Hand", LOW,
            ["pelvis < hip > lThigh, rThigh @ pelvis", *fingers("{}{f}{n}", "Thumb Index Mid Ring Pinky")], **a,
        ),
        "cc": make(
            "Character Creator",
            "CC_Base_Hip ; CC_Base_Waist ; CC_Base_Spine01 ; CC_Base_Spine02 ; CC_Base_NeckTwist01 ; CC_Base_Head",
            "CC_Base_{}_Thigh ; CC_Base_{}_Calf ; CC_Base_{}_Foot ; CC_Base_{}_ToeBase ; CC_Base_{}_Clavicle ; "
            "CC_Base_{}_Upperarm ; CC_Base_{}_Forearm ; CC_Base_{}_Hand", LR,
            ["RL_BoneRoot < - > CC_Base_Hip @ ground",
             "CC_Base_Pelvis < CC_Base_Hip > CC_Base_L_Thigh, CC_Base_R_Thigh @ pelvis",
             "CC_Base_NeckTwist02 < CC_Base_NeckTwist01 > CC_Base_Head @ neck~head~0.5",
             "CC_Base_{}_ThighTwist01 < CC_Base_{}_Thigh @ {side}_hip~{side}_knee~0.2",
             "CC_Base_{}_CalfTwist01 < CC_Base_{}_Calf @ {side}_knee~{side}_ankle~0.3",
             "CC_Base_{}_ToeBaseShareBone < CC_Base_{}_Foot @ {side}_foot",
             "CC_Base_{}_BigToe1 < CC_Base_{}_ToeBase @ {side}_toe_tip",
             "CC_Base_{}_UpperarmTwist01 < CC_Base_{}_Upperarm @ {side}_shoulder~{side}_elbow~0.4",
             "CC_Base_{}_ForearmTwist01 < CC_Base_{}_Forearm @ {side}_elbow~{side}_wrist~0.4",
             "CC_Base_FacialBone < CC_Base_Head @ jaw", "CC_Base_{}_Eye < CC_Base_FacialBone @ {side}_eye",
             *fingers("CC_Base_{}_{f}{n}", "Thumb Index Mid Ring Pinky")], **a,
        ),
        "biped": make(
            "3ds Max Biped", "Bip001 Pelvis ; Bip001 Spine ; Bip001 Spine1 ; Bip001 Spine2 ; Bip001 Neck ; Bip001 Head",
            "Bip001 {} Thigh ; Bip001 {} Calf ; Bip001 {} Foot ; Bip001 {} Toe0 ; Bip001 {} Clavicle ; "
            "Bip001 {} UpperArm ; Bip001 {} Forearm ; Bip001 {} Hand", LR,
            ["Bip001 < - > Bip001 Pelvis @ pelvis", "Bip001 Footsteps < Bip001 @ ground",
             "Bip001 HeadNub < Bip001 Head @ crown",
             *fingers("Bip001 {} Finger{f}{n}", "0 1 2 3 4")], **a,
        ),
        "valve": make(
            "ValveBiped",
            "ValveBiped.Bip01_Pelvis ; ValveBiped.Bip01_Spine1 ; ValveBiped.Bip01_Spine2 ; ValveBiped.Bip01_Spine4 ; "
            "ValveBiped.Bip01_Neck1 ; ValveBiped.Bip01_Head1",
            "ValveBiped.Bip01_{}_Thigh ; ValveBiped.Bip01_{}_Calf ; ValveBiped.Bip01_{}_Foot ; "
            "ValveBiped.Bip01_{}_Toe0 ; ValveBiped.Bip01_{}_Clavicle ; ValveBiped.Bip01_{}_UpperArm ; "
            "ValveBiped.Bip01_{}_Forearm ; ValveBiped.Bip01_{}_Hand", LR,
            ["ValveBiped.Bip01_Spine < ValveBiped.Bip01_Pelvis > ValveBiped.Bip01_Spine1 @ pelvis~spine1~0.5"], **a,
        ),
        "xsens": make(
            "Xsens MVN", "Pelvis ; L5 ; T12 ; T8 ; Neck ; Head",
            "{}UpperLeg ; {}LowerLeg ; {}Foot ; {}Toe ; {}Shoulder ; {}UpperArm ; {}ForeArm ; {}Hand", WORDS,
            ["L3 < L5 > T12 @ spine1~spine2~0.5"], **a,
        ),
        "xsens_bvh": make(
            "Xsens BVH", "Hips ; Chest ; Chest3 ; Chest4 ; Neck ; Head",
            "{}Hip ; {}Knee ; {}Ankle ; {}Toe ; {}Collar ; {}Shoulder ; {}Elbow ; {}Wrist", WORDS,
            ["Chest2 < Chest > Chest3 @ spine1~spine2~0.5"], **a,
        ),
        "optitrack": make(
            "OptiTrack Motive", "Hip ; Ab ; - ; Chest ; Neck ; Head",
            "{}Thigh ; {}Shin ; {}Foot ; {}Toe ; {}Shoulder ; {}UArm ; {}FArm ; {}Hand", LR,
            fingers("{}{f}{n}", HAND), **a,
        ),
        "mmd": make(
            "MMD", "センター ; 上半身 ; 上半身2 ; 上半身3 ; 首 ; 頭",
            "{}足 ; {}ひざ ; {}足首 ; {}つま先 ; {}肩 ; {}腕 ; {}ひじ ; {}手首", "左 ; 右",
            ["全ての親 < - > センター @ ground", "グルーブ < センター @ pelvis", "腰 < グルーブ > 上半身 @ pelvis",
             "下半身 < 腰 @ pelvis", "腰キャンセル{} < 下半身 > {}足 @ {side}_hip",
             "{}肩P < 上半身3 > {}肩 @ {side}_collar",
             "{}肩C < {}肩 > {}腕 @ {side}_shoulder", "{}腕捩 < {}腕 > {}ひじ @ {side}_shoulder~{side}_elbow~0.6",
             "{}手捩 < {}ひじ > {}手首 @ {side}_elbow~{side}_wrist~0.6", "{}足D < 腰キャンセル{} @ {side}_hip",
             "{}ひざD < {}足D @ {side}_knee", "{}足首D < {}ひざD @ {side}_ankle",
             "{}足IK親 < 全ての親 @ {side}_heel", "{}足ＩＫ < {}足IK親 @ {side}_ankle",
             "{}つま先ＩＫ < {}足ＩＫ @ {side}_foot", "両目 < 頭 @ crown", "{}目 < 頭 @ {side}_eye",
             *fingers("{}{f}{n}", "親指 人指 中指 薬指 小指")], **a,
        ),
        "mmd_renamed": make(
            "MMD", "センター ; 上半身 ; 上半身2 ; - ; 首 ; 頭",
            "足.{} ; ひざ.{} ; 足首.{} ; つま先.{} ; 肩.{} ; 腕.{} ; ひじ.{} ; 手首.{}", LR,
            ["全ての親 < - > センター @ ground", "グルーブ < センター > 上半身 @ pelvis",
             "下半身 < グルーブ > 足.L, 足.R @ pelvis", "足ＩＫ.{} < 全ての親 @ {side}_ankle",
             "腕捩.{} < 腕.{} > ひじ.{} @ {side}_shoulder~{side}_elbow~0.6",
             *fingers("{f}{n}.{}", "親指 人指 中指 薬指 小指")], **a,
        ),
        "mmd_english": make(
            "MMD (English)", "center ; upper body ; upper body 2 ; - ; neck ; head",
            "leg_{} ; knee_{} ; ankle_{} ; toe_{} ; shoulder_{} ; arm_{} ; elbow_{} ; wrist_{}", LR,
            ["root < - > center @ ground", "groove < center > upper body @ pelvis",
             "lower body < groove > leg_L, leg_R @ pelvis", "leg IK_{} < root @ {side}_ankle"], **a,
        ),
        "rigify_metarig": make(
            "Rigify metarig", "spine ; spine.001 ; spine.002 ; spine.003 ; spine.004 ; spine.006", RIGIFY_LIMBS, LR,
            ["spine.005 < spine.004 > spine.006 @ neck~head~0.5", "pelvis.{} < spine @ pelvis",
             "heel.02.{} < foot.{} @ {side}_heel", "breast.{} < spine.003 @ {side}_collar"], **a,
        ),
        "arp_exported": make(
            "Auto-Rig Pro (exported)", "root.x ; spine_01.x ; spine_02.x ; spine_03.x ; neck.x ; head.x",
            "thigh_stretch.{} ; leg_stretch.{} ; foot.{} ; toes_01.{} ; shoulder.{} ; arm_stretch.{} ; "
            "forearm_stretch.{} ; hand.{}", LOW,
            ["root < - > root.x @ ground", "arm_twist.{} < arm_stretch.{} @ {side}_shoulder",
             *fingers("c_{f}{n}.{}", FINGERS_LOW)], **a,
        ),
        "arp_controls": make(
            "Auto-Rig Pro", "c_root_master.x ; c_spine_01.x ; c_spine_02.x ; c_spine_03.x ; c_neck.x ; c_head.x",
            "c_thigh_fk.{} ; c_leg_fk.{} ; c_foot_fk.{} ; c_toes_fk.{} ; c_shoulder.{} ; c_arm_fk.{} ; "
            "c_forearm_fk.{} ; c_hand_fk.{}", LOW,
            ["c_pos < - @ ground", "c_traj < c_pos > c_root_master.x @ ground",
             "c_root.x < c_root_master.x > c_thigh_fk.l, c_thigh_fk.r @ pelvis", "root.x < c_root.x @ pelvis",
             "c_head_scale_fix.x < c_traj > c_head.x @ head",
             "arm_hinge.{} < c_spine_02.x > c_arm_fk.{} @ {side}_shoulder",
             "spine_01.x < root.x @ spine1", "arm_stretch.{} < c_shoulder.{} @ {side}_shoulder",
             "c_hand_ik.{} < c_traj @ {side}_wrist", "c_foot_ik.{} < c_traj @ {side}_ankle",
             "c_leg_pole.{} < c_traj @ {side}_pole"], **a,
        ),
        "cloudrig": make(
            "CloudRig", "TORSO-Spine ; FK-Spine ; - ; FK-Chest ; FK-Neck ; FK-Head",
            "FK-Thigh.{} ; FK-Knee.{} ; FK-Foot.{} ; FK-Toes.{} ; FK-Shoulder.{} ; FK-UpperArm.{} ; FK-Forearm.{} ; "
            "FK-Wrist.{}", LR,
            ["root < - > TORSO-Spine @ ground", "Properties < root @ ground", "HIP-Spine < TORSO-Spine @ pelvis",
             "FK-UpperArm_Parent.{} < FK-Shoulder.{} > FK-UpperArm.{} @ {side}_shoulder",
             "IK-Wrist.{} < root @ {side}_wrist", "IK-Foot.{} < root @ {side}_ankle",
             "POLE-Thigh.{} < root @ {side}_pole", "DEF-UpperArm.{} < FK-Shoulder.{} @ {side}_shoulder"], **a,
        ),
        "custom": make(
            "Named after the body", "Pelvis ; Spine_Lower ; Chest ; - ; Neck ; Head",
            "Thigh-{} ; Shin-{} ; Foot-{} ; Toes-{} ; Collar-{} ; UpArm-{} ; LowArm-{} ; Hand-{}", LOW,
            ["Tail1 < Pelvis @ tail", "Tail2 < Tail1 @ tail_end"], **a,
        ),
    }  # fmt: skip
    numbers = [f"J{i:02d}" for i in range(22)]
    body = table["smplx"]
    bare = set(body.joints.values())
    table["smpl_numbers"] = Rig(
        "SMPL (numbered)",
        {b: p for b, p in body.parents.items() if b in bare},
        {b: r for b, r in body.rest.items() if b in bare},
        dict(body.joints),
    ).renamed({body.joints[name]: numbers[i] for i, name in enumerate(skeleton.JOINT_NAMES)})
    return table
