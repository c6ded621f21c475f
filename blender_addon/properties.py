# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the Motion tab, kept in the scene as ``scene.motion_prompt``."""

from __future__ import annotations

import sys
import zlib
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import models, takes
from .captions.properties import MotionPromptCaptions
from .preferences import preferences
from .retarget.options import RetargetOptions
from .session import session
from .writing import MotionPromptWriting

MAX_SEED = 2**31 - 1

_SAMPLERS = (
    ("AUTO", "Automatic", "The model's own: right nearly always", 0),
    (
        "motionlcm",
        "MotionLCM",
        "Fastest; its takes differ most, and it is the one that obeys poses and paths",
        1,
    ),
    ("emdm", "EMDM", "Keeps closest to the words, in twice the time; its takes differ less", 3),
    ("mld", "MLD", "Many steps: slow; the teacher of the other two", 2),
)
"""The numbers are what a file stores."""

_ROOTS = (
    ("HIPS", "Hips", "The hips travel"),
    ("ROOT_BONE", "Root Bone", "The rig's root bone travels and turns, the hips carry the rest"),
    ("OBJECT", "Object", "The armature object travels and turns, the hips carry the rest"),
)


def _prompt_changed(settings: MotionPromptSettings, context: bpy.types.Context) -> None:
    """Generate when the user has confirmed another text; not when a script has set it.

    Blender's interface calls this with no Python below it on the stack, a script does not.
    """
    text = settings.prompt.strip()
    before = settings.prompt_before
    settings.prompt_before = text
    by_script = sys._getframe().f_back is not None
    if by_script or not text or text == before or not preferences().enter_generates:
        return
    bpy.ops.motion_prompt.generate()


def _bundle_items(settings: Any, context: bpy.types.Context | None) -> list[tuple[str, str, str, int]]:
    """The engine's bundles; the list is kept because Blender does not keep the strings."""
    items = [("AUTO", models.default_title(), "The model that comes with the add-on", 0)]
    for bundle in session.health.get("bundles", ()):
        number = zlib.crc32(bundle["name"].encode()) & 0x7FFFFFFF or 1
        items.append((bundle["name"], models.title(bundle), models.description(bundle), number))
    if items != _bundle_items.kept:  # type: ignore[attr-defined]
        _bundle_items.kept = items  # type: ignore[attr-defined]
    return _bundle_items.kept  # type: ignore[attr-defined]


_bundle_items.kept = []  # type: ignore[attr-defined]


def _sampler_items(settings: Any, context: bpy.types.Context | None) -> list[tuple[str, str, str, int]]:
    """The samplers of the chosen model; all while the engine has not told what it has."""
    bundle = models.known(settings.bundle)
    offered = {"AUTO", *(bundle["samplers"] if bundle else [item[0] for item in _SAMPLERS])}
    return [item for item in _SAMPLERS if item[0] in offered]


def _bundle_changed(settings: MotionPromptSettings, context: bpy.types.Context) -> None:
    """A sampler that the new model lacks gives way to the model's own."""
    if settings.sampler == "":
        settings.sampler = "AUTO"


def _sampler_changed(settings: MotionPromptSettings, context: bpy.types.Context) -> None:
    """Steps and guidance are those of a sampler: another one begins with its own."""
    settings.steps, settings.guidance = 0, 0.0


class MotionPromptSettings(bpy.types.PropertyGroup):
    prompt: StringProperty(
        name="Prompt",
        description="What the character does, in English: 'a tired man walks forward and sits down'. "
        "Enter generates",
        update=_prompt_changed,
        options=set(),
    )
    prompt_before: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    duration: FloatProperty(
        name="Duration", description="Length of the motion in seconds", default=4.0, min=0.5, max=9.8,
        step=50, precision=1, subtype="TIME_ABSOLUTE", options=set(),
    )  # fmt: skip
    seed: IntProperty(
        name="Seed", description="The same prompt and seed give the same motion", default=0, min=0,
        max=MAX_SEED, options=set(),
    )  # fmt: skip
    count: IntProperty(
        name="Variations", description="How many takes to make at once, with seeds that follow one another",
        default=1, min=1, max=32, soft_max=8, options=set(),
    )  # fmt: skip
    sampler: EnumProperty(
        name="Sampler", description="How the model gets from noise to motion", items=_sampler_items, default=0,
        update=_sampler_changed, options=set(),
    )  # fmt: skip
    steps: IntProperty(
        name="Steps", description="Sampling steps; 0 leaves the number to the sampler: each takes other ones",
        default=0, min=0, max=200, options=set(),
    )  # fmt: skip
    guidance: FloatProperty(
        name="Guidance",
        description="How closely the motion follows the words; 0 leaves it to the sampler",
        default=0.0, min=0.0, max=30.0, soft_max=15.0, precision=1, options=set(),
    )  # fmt: skip
    tries: IntProperty(
        name="Tries",
        description="How often a take may be drawn that does not do what its words measurably say: turn to that side, "
        "jump so many times. 1 keeps the first draw; 0 leaves the number to the sampler",
        default=0, min=0, max=16, options=set(),
    )  # fmt: skip
    foot_lock: BoolProperty(
        name="Foot Lock", description="Hold the feet still while they stand", default=True, options=set()
    )
    floor: BoolProperty(
        name="Floor", description="Keep the feet from sinking into the floor", default=True, options=set()
    )
    root: EnumProperty(
        name="Root Motion", description="What carries the character over the ground", items=_ROOTS, default="HIPS",
        options=set(),
    )  # fmt: skip
    in_place: BoolProperty(
        name="In Place",
        description="Stay on the spot, as on a treadmill: for games, which move the character themselves",
        default=False, options=set(),
    )  # fmt: skip
    loop: BoolProperty(
        name="Loop", description="Blend the end into the first frame, so that the action can be repeated",
        default=False, options=set(),
    )  # fmt: skip
    loop_seconds: FloatProperty(
        name="Blend Time", description="How long before the end the blending begins", default=0.5, min=0.1, max=4.0,
        step=10, precision=1, subtype="TIME_ABSOLUTE", options=set(),
    )  # fmt: skip
    reach_hands: BoolProperty(
        name="Hands Meet", description="Let hands that meet, as in a clap, meet on wider or narrower shoulders "
        "too", default=False, options=set(),
    )  # fmt: skip
    controls: EnumProperty(
        name="Controls",
        description="Which controls of the limbs get the keys, on a rig that has both; the pose is the same",
        items=(
            ("FK", "FK", "Rotations of the limbs; the rig's own switch is keyed to FK"),
            ("IK", "IK", "Hands, feet and poles; the rig's own switch is keyed to IK"),
        ),
        default="FK", options=set(),
    )  # fmt: skip
    bundle: EnumProperty(
        name="Model", description="The model that makes the motion", items=_bundle_items,
        update=_bundle_changed, options=set(),
    )  # fmt: skip
    writing: PointerProperty(type=MotionPromptWriting)
    captions: PointerProperty(type=MotionPromptCaptions)
    batch_text: PointerProperty(
        name="Text", description="A Text of this file with one prompt a line", type=bpy.types.Text
    )
    batch_file: StringProperty(
        name="File", description="A text file with one prompt a line", subtype="FILE_PATH", options=set()
    )
    take: IntProperty(
        name="Take", description="The take that the armature plays", get=takes.get_active, set=takes.set_active,
        options={"SKIP_SAVE"},
    )  # fmt: skip


def request_body(
    settings: MotionPromptSettings, prompt: str, *, duration: float | None = None, seed: int | None = None,
    count: int | None = None, sampler: str | None = None, steps: int | None = None, guidance: float | None = None,
    tries: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Body of ``POST /v1/generate``; what is None comes from the settings."""
    chosen = None if settings.sampler in {"AUTO", ""} else settings.sampler
    return {
        "prompt": prompt,
        "duration": round(settings.duration if duration is None else duration, 4),
        "seed": settings.seed if seed is None else seed,
        "count": settings.count if count is None else count,
        "sampler": sampler or chosen,
        "steps": steps or settings.steps or None,
        "guidance": guidance if guidance is not None else settings.guidance or None,
        "tries": tries or settings.tries or None,
        "bundle": None if settings.bundle in {"AUTO", ""} else settings.bundle,
        "post": {"foot_lock": settings.foot_lock, "floor": settings.floor},
    }


def retarget_options(settings: MotionPromptSettings) -> RetargetOptions:
    """How motions are put on rigs, as the settings say."""
    return RetargetOptions(
        root=settings.root,
        in_place=settings.in_place,
        loop=settings.loop_seconds if settings.loop else 0.0,
        reach_hands=settings.reach_hands,
        controls=settings.controls,
    )


CLASSES = (MotionPromptSettings,)


def register() -> None:
    bpy.types.Scene.motion_prompt = PointerProperty(type=MotionPromptSettings)


def unregister() -> None:
    del bpy.types.Scene.motion_prompt
