# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures of a motion by `motion_engine.kinematics`: names, units and meaning.

All lengths are in metres, times in seconds, angles in degrees. The body's own frame moves with it: forward is where
hips and shoulders face at that moment, so that a walk along a curve is a walk forward; left is the body's left.
Angles about the vertical are positive to the left.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from operator import attrgetter


@dataclass(frozen=True)
class Travel:
    """Of the pelvis over the floor.

    ``forward``, ``left``: integral of the velocity in the moving body frame (negative: backward, right).
    ``distance``: start to end as the crow flies; ``path``: length of the way (faster than 0.2 m/s only).
    ``turn``: facing at the end against the start, full turns included; ``turned``: all turning added up, without sign.
    ``speed``: mean over the clip; ``moving_speed``: mean while moving; ``top_speed``: fastest half second.
    ``moving``: share of time in which the pelvis travels. ``forward_share``, ``backward_share``, ``left_share``,
    ``right_share``: shares of the path in each direction.
    """

    forward: float
    left: float
    distance: float
    path: float
    turn: float
    turned: float
    speed: float
    moving_speed: float
    top_speed: float
    moving: float
    forward_share: float
    backward_share: float
    left_share: float
    right_share: float


@dataclass(frozen=True)
class Air:
    """Both feet off the floor.

    ``jumps``: flights of at least 0.15 s with the feet side by side; ``flights``: all flights of at least 0.1 s (those
    of a run among them); ``time``: seconds; ``height``: largest clearance of the lower foot; ``travel``: longest way of
    the pelvis over the floor in one jump; ``forward``: the same along the facing, signed; ``rise``: of the pelvis over
    its standing height.
    """

    jumps: int
    flights: int
    time: float
    height: float
    travel: float
    forward: float
    rise: float


@dataclass(frozen=True)
class Pelvis:
    """Heights as a share of the standing height; ``dips``: times it sinks under 0.8 by 0.15 and is up again.

    ``rise``: end less start; ``low``: seconds under 0.75.
    """

    start: float
    end: float
    lowest: float
    highest: float
    rise: float
    dips: int
    low: float


@dataclass(frozen=True)
class Arm:
    """One arm; heights of the wrist over its own shoulder (negative: under).

    ``above_shoulder``, ``above_head``: seconds; ``highest``, ``median``: heights; ``start``, ``end``: heights of the
    first and last fifth of a second; ``raises``: times it is lifted by 0.35 m to shoulder height or over;
    ``waves``: swings back and forth of a raised hand, or wide ones from the side of the body to over the shoulder;
    ``punches``: quick stretches at chest or head height; ``reach``: furthest level reach at those heights, not to the
    back; ``forward``, ``outward``, ``backward``: furthest reach from the shoulder; ``top_speed``: relative to the
    pelvis; ``energy``: root mean square of the same.
    """

    above_shoulder: float
    above_head: float
    highest: float
    median: float
    start: float
    end: float
    raises: int
    waves: int
    punches: int
    reach: float
    forward: float
    outward: float
    backward: float
    top_speed: float
    energy: float


@dataclass(frozen=True)
class Leg:
    """One leg.

    ``steps``: swings that set the foot down elsewhere; ``cut_steps``: those of them that the clip begins or
    ends in; ``first_step``: second at which the first of them starts (infinite without any); ``knee``: highest
    knee against its hip (standing: -0.38, thigh level: 0); ``knee_raises``: times the knee comes up over -0.2;
    ``foot``: highest ankle over its standing height; ``kicks``: quick swings of the foot up, away from the
    body; ``raises``: slow ones with a straight leg; ``on_knee``: seconds with the knee on the floor; ``aside``:
    furthest ankle outward of the hip.
    """

    steps: int
    cut_steps: int
    first_step: float
    knee: float
    knee_raises: int
    foot: float
    kicks: int
    raises: int
    on_knee: float
    aside: float


@dataclass(frozen=True)
class Trunk:
    """Lean of the line from pelvis to neck.

    ``pitch``, ``back``, ``roll_left``, ``roll_right``: largest lean in each direction; ``mean_pitch``: forward, mean;
    ``bows``: times it leans forward by 35 degrees more and comes up again; ``flat``: seconds with the trunk nearer to
    the horizontal and low (lying); ``left_bends``, ``right_bends``: leans aside by 15 degrees and back.
    """

    pitch: float
    back: float
    mean_pitch: float
    roll_left: float
    roll_right: float
    bows: int
    flat: float
    left_bends: int
    right_bends: int


@dataclass(frozen=True)
class Head:
    """``sweep``: largest angle between two directions that it faces, seen from above, with whatever turns it."""

    sweep: float


@dataclass(frozen=True)
class Hands:
    """Both wrists together.

    ``claps``: times they meet and part; ``closest``: smallest distance; ``both_above_shoulder``, ``both_above_head``:
    seconds; ``spread``: largest distance.
    """

    claps: int
    closest: float
    spread: float
    both_above_shoulder: float
    both_above_head: float


@dataclass(frozen=True)
class Kinematics:
    """All measures of one clip; ``still``: share of frames in which the body stands still; ``duration``: seconds."""

    duration: float
    still: float
    energy: float
    travel: Travel
    air: Air
    pelvis: Pelvis
    left_arm: Arm
    right_arm: Arm
    hands: Hands
    left_leg: Leg
    right_leg: Leg
    trunk: Trunk
    head: Head

    @property
    def steps(self) -> int:
        """Steps of both feet."""
        return self.left_leg.steps + self.right_leg.steps

    @property
    def first_foot(self) -> str | None:
        """``left`` or ``right``: the foot that steps first; None without steps."""
        if not self.steps:
            return None
        return "left" if self.left_leg.first_step < self.right_leg.first_step else "right"

    def value(self, name: str) -> float:
        """A measure by its dotted name, as ``travel.forward`` or ``left_arm.waves``.

        Raises
        ------
        ValueError
            If there is no such measure.
        """
        try:
            return float(attrgetter(name)(self))
        except (AttributeError, TypeError) as error:
            raise ValueError(
                f"There is no measure {name!r}; see {__name__}.Kinematics for their names."
            ) from error

    def as_dict(self) -> dict[str, object]:
        """Nested plain values, for JSON."""
        return asdict(self)
