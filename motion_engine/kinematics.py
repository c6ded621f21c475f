# SPDX-License-Identifier: GPL-3.0-or-later
"""What a motion does, in numbers: travel, turning, steps, jumps, hands, legs, trunk.

`motion_engine.kinematics_values` says what each measure means.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from motion_engine import quaternion as quat
from motion_engine import skeleton
from motion_engine.kinematics_signals import Mask, extrema, main_axis, smooth, spans, velocity
from motion_engine.kinematics_values import Air, Arm, Hands, Head, Kinematics, Leg, Pelvis, Travel, Trunk
from motion_engine.motion import Motion

Array = NDArray[np.floating]

MOVING = 0.2
"""m/s: slower pelvis speeds are swaying, not travel."""

STILL = 0.12
"""m/s: mean joint speed under which a body stands still (a resting performer breathes and sways at 0.02-0.08)."""

AIRBORNE = 0.05
"""m: clearance of the lower foot from which the body flies."""

_ARM_LENGTH = float(np.linalg.norm(skeleton.REST_OFFSETS[[18, 20]], axis=-1).sum())
_ANKLE_HEIGHT = float(skeleton.REST_JOINTS[7, 1] + skeleton.REST_PELVIS_HEIGHT)


def kinematics(motion: Motion) -> Kinematics:
    """Measure a motion; see the classes of this module for what."""
    joints, fps = motion.joints.astype(float), motion.fps
    yaw = facing_angle(joints, fps)
    body = in_body_frame(joints, yaw)
    speed = np.linalg.norm(velocity(joints, fps), axis=-1)
    relative_speed = np.linalg.norm(velocity(joints - joints[:, :1], fps), axis=-1)
    clearance = foot_clearance(joints, fps)
    return Kinematics(
        duration=motion.duration,
        still=float((smooth(speed.mean(axis=-1), 3) < STILL).mean()),
        energy=float(np.sqrt((speed**2).mean())),
        travel=_travel(joints, yaw, fps),
        air=_air(joints, yaw, clearance, fps),
        pelvis=_pelvis(joints, fps),
        left_arm=_arm(body, relative_speed[:, 20], fps, "left"),
        right_arm=_arm(body, relative_speed[:, 21], fps, "right"),
        hands=_hands(body, fps),
        left_leg=_leg(joints, body, relative_speed[:, 7], clearance[:, 0], fps, "left"),
        right_leg=_leg(joints, body, relative_speed[:, 8], clearance[:, 1], fps, "right"),
        trunk=_trunk(body, fps),
        head=_head(motion.rotations.astype(float)),
    )


def facing_angle(joints: Array, fps: float) -> Array:
    """Angle (T,) in radians of the facing about +Y, from +Z, positive to the left, unwrapped, smoothed over 0.25 s."""
    front = skeleton.facing(joints)
    return smooth(np.unwrap(np.arctan2(front[:, 0], front[:, 2])), round(0.25 * fps))


def in_body_frame(joints: Array, yaw: Array) -> Array:
    """Joints (T, 22, 3) as (left, up, forward) of the body: over its pelvis, heights over the floor kept."""
    offset = joints - joints[:, :1] * np.array([1.0, 0.0, 1.0])
    cosine, sine = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    left = offset[..., 0] * cosine - offset[..., 2] * sine
    forward = offset[..., 0] * sine + offset[..., 2] * cosine
    return np.stack([left, offset[..., 1], forward], axis=-1)


def foot_clearance(joints: Array, fps: float) -> Array:
    """Height (T, 2) of the left and right sole over the ground: the lower of heel and toe.

    The ground is where the lower foot comes down within 0.7 s around, so that neither uneven ground nor a performer
    whose feet are a little too high counts as flight.
    """
    ankle = joints[:, [7, 8], 1] - _ANKLE_HEIGHT
    toe = joints[:, [10, 11], 1] - skeleton.TOE_CLEARANCE
    sole = np.minimum(ankle, toe)
    reach = min(_frames(0.7, fps), len(sole))
    padded = np.pad(sole.min(axis=1), reach, mode="edge")
    ground = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)
    return sole - ground[:, None]


def _frames(seconds: float, fps: float) -> int:
    return max(round(seconds * fps), 1)


def _travel(joints: Array, yaw: Array, fps: float) -> Travel:
    path = smooth(joints[:, 0, [0, 2]], _frames(0.3, fps))
    vx, vz = velocity(path, fps).T
    forward = vx * np.sin(yaw) + vz * np.cos(yaw)
    left = vx * np.cos(yaw) - vz * np.sin(yaw)
    speed = np.hypot(vx, vz)
    moving = speed > MOVING
    way = float(speed[moving].sum() / fps)

    def share(component: Array) -> float:
        # the square of the cosine, so that the four shares of a path add up to one
        part = np.maximum(component, 0.0) ** 2 / np.maximum(speed, 1e-9)
        return float(part[moving].sum() / fps / way) if way > 0 else 0.0

    turns = np.degrees(np.diff(smooth(yaw, _frames(0.4, fps))))
    return Travel(
        forward=float(forward.sum() / fps),
        left=float(left.sum() / fps),
        distance=float(np.linalg.norm(joints[-1, 0, [0, 2]] - joints[0, 0, [0, 2]])),
        path=way,
        turn=float(np.degrees(yaw[-1] - yaw[0])),
        turned=float(np.abs(turns).sum()),
        speed=way / (len(joints) / fps),
        moving_speed=float(speed[moving].mean()) if moving.any() else 0.0,
        top_speed=float(smooth(speed, _frames(0.5, fps)).max()),
        moving=float(moving.mean()),
        forward_share=share(forward),
        backward_share=share(-forward),
        left_share=share(left),
        right_share=share(-left),
    )


def _air(joints: Array, yaw: Array, clearance: Array, fps: float) -> Air:
    lower = clearance.min(axis=1)
    flights = spans(lower > AIRBORNE, _frames(0.1, fps))
    apart = np.abs(joints[:, 7, 1] - joints[:, 8, 1])
    jumps = [
        (a, b)
        for a, b in flights
        if b - a >= 0.15 * fps and apart[a:b].mean() < 0.22 and lower[a:b].max() > 0.07
        and joints[a:b, 0, 1].max() > 0.95 * skeleton.REST_PELVIS_HEIGHT
    ]  # fmt: skip
    ways = [joints[min(b, len(joints) - 1), 0, [0, 2]] - joints[max(a - 1, 0), 0, [0, 2]] for a, b in jumps]
    ahead = [
        way @ np.array([np.sin(yaw[a]), np.cos(yaw[a])]) for way, (a, _) in zip(ways, jumps, strict=True)
    ]
    return Air(
        jumps=len(jumps),
        flights=len(flights),
        time=float(sum(b - a for a, b in flights) / fps),
        height=float(max((lower[a:b].max() for a, b in flights), default=0.0)),
        travel=float(max((np.linalg.norm(way) for way in ways), default=0.0)),
        forward=float(max(ahead, key=abs, default=0.0)),
        rise=float(joints[:, 0, 1].max() - skeleton.REST_PELVIS_HEIGHT),
    )


def _pelvis(joints: Array, fps: float) -> Pelvis:
    height = smooth(joints[:, 0, 1], 3) / skeleton.REST_PELVIS_HEIGHT
    end = _frames(0.2, fps)
    _, dips = extrema(height, 0.15)
    # the way down and up again: neither the first nor the last frame is a dip
    inside = [i for i in dips if height[i] < 0.8 and height[:i].max(initial=0) - height[i] >= 0.15]
    inside = [i for i in inside if height[i:].max() - height[i] >= 0.15]
    return Pelvis(
        start=float(height[:end].mean()),
        end=float(height[-end:].mean()),
        lowest=float(height.min()),
        highest=float(height.max()),
        rise=float(height[-end:].mean() - height[:end].mean()),
        dips=len(inside),
        low=float((height < 0.75).sum() / fps),
    )


def _arm(body: Array, speed: Array, fps: float, side: str) -> Arm:
    names = [skeleton.JOINT[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist")]
    shoulder, elbow, wrist = (body[:, name] for name in names)
    reach = wrist - shoulder
    height, forward = reach[:, 1], reach[:, 2]
    outward = reach[:, 0] if side == "left" else -reach[:, 0]
    speed = smooth(speed, 3)
    end = _frames(0.2, fps)
    peaks, _ = extrema(smooth(height, 3), 0.35)
    raised = (height > 0.0) | ((height > -0.2) & (wrist[:, 1] > elbow[:, 1] + 0.12))
    return Arm(
        above_shoulder=float((height > 0.05).sum() / fps),
        above_head=float((wrist[:, 1] > body[:, 15, 1] + 0.05).sum() / fps),
        highest=float(height.max()),
        median=float(np.median(height)),
        start=float(height[:end].mean()),
        end=float(height[-end:].mean()),
        raises=sum(bool(height[i] > -0.12) for i in peaks),
        waves=max(_waves(reach, raised, fps), _arcs(height, peaks, fps)),
        punches=_punches(reach, speed, fps),
        reach=float(np.hypot(np.maximum(forward, 0.0), reach[:, 0])[abs(height) < 0.35].max(initial=0.0)),
        forward=float(forward.max()),
        outward=float(outward.max()),
        backward=float(-forward.min()),
        top_speed=float(speed.max()),
        energy=float(np.sqrt((speed**2).mean())),
    )


def _waves(reach: Array, raised: Mask, fps: float) -> int:
    count = 0
    for a, b in spans(raised, _frames(0.8, fps)):
        # without the first and last moments, in which the hand goes up and down
        trim = _frames(0.25, fps)
        part = smooth(reach[a + trim : b - trim], 3)
        if len(part) > 4:
            drift = smooth(part, _frames(1.2, fps))
            maxima, minima = extrema(main_axis(part - drift), 0.07)
            count += sum(1 < i < len(part) - 2 for i in maxima + minima) // 2
    return count


def _arcs(height: Array, peaks: list[int], fps: float) -> int:
    """Wide waves, from the side of the body to over the shoulder, one within two seconds of the other."""
    tops = np.array([i for i in peaks if height[i] > 0.05])
    if len(tops) < 2:
        return 0
    near = np.diff(tops) < 2.0 * fps
    return int((np.append(near, False) | np.insert(near, 0, False)).sum())


def _punches(reach: Array, speed: Array, fps: float) -> int:
    # away from the body on any side but the back: who fights stands turned
    away = np.where(reach[:, 2] > -0.1, np.hypot(reach[:, 0], reach[:, 2]), 0.0)
    before = _frames(0.3, fps)
    stretched = np.linalg.norm(reach, axis=-1) / _ARM_LENGTH
    peaks, _ = extrema(away, 0.18)
    return sum(
        bool(
            stretched[i] > 0.72
            and away[i] > 0.32
            and abs(reach[i, 1]) < 0.3
            and speed[max(i - before, 0) : i + 1].max() > 2.0
        )
        for i in peaks
    )


def _hands(body: Array, fps: float) -> Hands:
    distance = np.linalg.norm(body[:, 20] - body[:, 21], axis=-1)
    _, meetings = extrema(distance, 0.12)
    over = body[:, [20, 21], 1] - body[:, [16, 17], 1]
    head = body[:, [20, 21], 1] - body[:, 15:16, 1]
    return Hands(
        claps=sum(bool(distance[i] < 0.22) for i in meetings),
        closest=float(distance.min()),
        spread=float(distance.max()),
        both_above_shoulder=float((over > 0.05).all(axis=1).sum() / fps),
        both_above_head=float((head > 0.05).all(axis=1).sum() / fps),
    )


def _leg(joints: Array, body: Array, speed: Array, clearance: Array, fps: float, side: str) -> Leg:
    hip, knee, ankle, toe = (
        skeleton.JOINT[f"{side}_{part}"] for part in ("hip", "knee", "ankle", "foot")
    )  # fmt: skip
    outward = 1.0 if side == "left" else -1.0
    knee_height = body[:, knee, 1] - body[:, hip, 1]
    foot = body[:, ankle, 1] - _ANKLE_HEIGHT
    away = body[:, ankle] - body[:, hip]
    upright = body[:, 0, 1] > 0.7 * skeleton.REST_PELVIS_HEIGHT
    length = np.linalg.norm(away, axis=-1) / skeleton.LEG_LENGTH
    reach = np.hypot(np.maximum(away[:, 2], 0.0), away[:, 0])

    knee_peaks, _ = extrema(smooth(knee_height, 3), 0.12)
    lifts, _ = extrema(smooth(foot, 3), 0.15)
    before = _frames(0.3, fps)
    kicks = raises = 0
    for i in lifts:
        near = slice(max(i - before, 0), i + before + 1)
        if foot[i] > 0.25 and upright[i] and reach[near].max() > 0.4 and length[near].max() > 0.8:
            quick = speed[near].max() > 2.5
            kicks += quick
            raises += not quick and length[i] > 0.9
    steps, cut = _steps(joints[:, [ankle, toe]], clearance, fps)
    return Leg(
        steps=len(steps),
        cut_steps=cut,
        first_step=steps[0] / fps if steps else float("inf"),
        knee=float(knee_height[upright].max(initial=-0.4)),
        knee_raises=sum(bool(knee_height[i] > -0.2 and upright[i]) for i in knee_peaks),
        foot=float(foot[upright].max(initial=0.0)),
        kicks=int(kicks),
        raises=int(raises),
        on_knee=float(((joints[:, knee, 1] < 0.14) & (body[:, 0, 1] > 0.3)).sum() / fps),
        aside=float((away[:, 0] * outward).max()),
    )


def _steps(foot: Array, clearance: Array, fps: float) -> tuple[list[int], int]:
    """Frames at which the foot, ankle and toe (T, 2, 3), leaves for a step; how many of them the clip cuts.

    A step that the clip begins or ends in counts where the foot moves by half a step within it.
    """
    level = foot[:, :, [0, 2]]
    pace = np.linalg.norm(velocity(level, fps), axis=-1).min(axis=1)
    stands = spans((clearance < 0.06) & (pace < 0.7))
    last = len(level) - 1
    swings = [(left - 1, landed, 0.12) for (_, left), (landed, _) in pairwise(stands)]
    whole = len(swings)
    if stands and stands[0][0] > 0:
        swings.append((0, stands[0][0], 0.25))
    if stands and stands[-1][1] <= last:
        swings.append((stands[-1][1] - 1, last, 0.25))
    steps, cut = [], 0
    for i, (left, landed, least) in enumerate(swings):
        moved = np.linalg.norm(level[landed].mean(axis=0) - level[left].mean(axis=0))
        if moved > least and landed - left < 2.0 * fps:
            steps.append(left)
            cut += i >= whole
    return sorted(steps), cut


def _trunk(body: Array, fps: float) -> Trunk:
    spine = body[:, 12] - body[:, 0]
    up = np.maximum(spine[:, 1], 1e-6)
    pitch = np.degrees(np.arctan2(spine[:, 2], up))
    roll = np.degrees(np.arctan2(spine[:, 0], np.hypot(up, spine[:, 2])))
    pitch, roll = smooth(pitch, 3), smooth(roll, 3)
    # a bow is seen where it is deepest; one that the clip begins or ends in has no way down or up
    deepest, _ = extrema(pitch, 30.0)
    low = body[:, 0, 1] < 0.35 * skeleton.REST_PELVIS_HEIGHT
    lying = (spine[:, 1] < 0.5 * np.linalg.norm(spine, axis=-1)) & low
    lefts, rights = extrema(roll, 13.0)
    return Trunk(
        pitch=float(pitch.max()),
        back=float(-pitch.min()),
        mean_pitch=float(pitch.mean()),
        roll_left=float(roll.max()),
        roll_right=float(-roll.min()),
        bows=sum(bool(pitch[i] > 35.0 and pitch[:i].min(initial=99) < pitch[i] - 30) for i in deepest),
        flat=float(lying.sum() / fps),
        left_bends=sum(bool(roll[i] > 15.0) for i in lefts),
        right_bends=sum(bool(roll[i] < -15.0) for i in rights),
    )


def _head(rotations: Array) -> Head:
    joint = skeleton.JOINT["head"]
    turned = rotations[:, joint]
    while (joint := skeleton.PARENTS[joint]) >= 0:
        turned = quat.multiply(rotations[:, joint], turned)
    front = quat.rotate(turned, np.array([0.0, 0.0, 1.0]))
    yaw = smooth(np.unwrap(np.arctan2(front[:, 0], front[:, 2])), 3)
    return Head(sweep=float(np.degrees(np.ptp(yaw))))
