# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig map that the user has corrected: a table kept with the armature, and remembered per rig for other files."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

import bpy
from bpy.props import CollectionProperty, EnumProperty, PointerProperty, StringProperty

from motion_engine import skeleton

from . import rig_maps
from .preferences import PACKAGE
from .rig_maps import document, store

BY_HAND = "Made by hand"


def _row_changed(row: MotionPromptMapRow, context: bpy.types.Context) -> None:
    remember(row.id_data)


class MotionPromptMapRow(bpy.types.PropertyGroup):
    """One joint of the table; ``name`` is the joint's."""

    bone: StringProperty(
        name="Bone",
        description="The bone that moves with this joint; empty where the rig has none",
        update=_row_changed,
        options=set(),
    )


class MotionPromptMap(bpy.types.PropertyGroup):
    """The table of an armature; without rows the add-on recognises the rig itself."""

    rows: CollectionProperty(type=MotionPromptMapRow)
    family: StringProperty(default=BY_HAND)
    kind: EnumProperty(
        name="Bones",
        description="Whether the bones of the table are an animator's controls",
        items=(
            ("deform", "Bones", "Bones that follow nothing but their parents and their keys"),
            ("control", "Controls", "Controls of a rig, which move other bones"),
        ),
        options=set(),
    )


def in_words(family: str) -> str:
    """What a status line calls a rig of a family."""
    return {BY_HAND: "mapped by hand", rig_maps.shape.TITLE: "read off its shape"}.get(
        family, f"{family} rig"
    )


def maps_folder() -> Path:
    """Where maps are remembered: the folder that Blender gives to extensions."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path="rig_maps", create=True))
    except ValueError:  # not installed as an extension
        return Path(tempfile.gettempdir()) / "motion_prompt" / "rig_maps"


def parents_of(armature: bpy.types.Armature) -> dict[str, str | None]:
    """Bone -> name of its parent, or None."""
    return {bone.name: bone.parent.name if bone.parent else None for bone in armature.bones}


def corrected(armature: bpy.types.Armature) -> rig_maps.Mapping | None:
    """The table's map, else the one remembered for such a rig; None where there is neither.

    Raises
    ------
    MapError
        If it does not fit the armature; the message names the bones.
    """
    parents = parents_of(armature)
    table = getattr(armature, "motion_prompt_map", None)  # None in scripts that use the package unregistered
    if table is not None and len(table.rows):
        return document.loads(as_json(armature), parents)
    return store.recall(maps_folder(), parents)


def as_json(armature: bpy.types.Armature) -> str:
    """The table as a document, right or wrong."""
    table = armature.motion_prompt_map
    return json.dumps(
        {
            "schema": document.SCHEMA, "family": table.family, "kind": table.kind,
            "joints": {row.name: row.bone for row in table.rows if row.bone},
        }
    )  # fmt: skip


def is_usable(armature: bpy.types.Armature, mapping: rig_maps.Mapping | None) -> bool:
    """Whether a guess names a bone for every joint that must be there."""
    try:
        document.check(mapping.bones if mapping is not None else {}, parents_of(armature))
    except document.MapError:
        return False
    return True


def problem(armature: bpy.types.Armature) -> str:
    """What is wrong with the table, in a sentence; empty when it can be used."""
    try:
        corrected(armature)
    except document.MapError as error:
        return str(error)
    return ""


def is_empty(armature: bpy.types.Armature) -> bool:
    """Whether no row names a bone."""
    return not any(row.bone for row in armature.motion_prompt_map.rows)


def is_remembered(armature: bpy.types.Armature) -> bool:
    """Whether a map is kept for rigs with the same bones."""
    return store.path_of(maps_folder(), parents_of(armature)).is_file()


def wrong_rows(armature: bpy.types.Armature) -> set[str]:
    """Joints whose row names no bone of the armature, one that stands there twice, or none where one must be."""
    rows = armature.motion_prompt_map.rows
    used = [row.bone for row in rows if row.bone]
    return {
        row.name
        for row in rows
        if (row.bone and (row.bone not in armature.bones or used.count(row.bone) > 1))
        or (not row.bone and row.name in rig_maps.REQUIRED)
    }


def fill(armature: bpy.types.Armature, mapping: rig_maps.Mapping | None) -> None:
    """Put a map into the table; None leaves every row empty."""
    table = armature.motion_prompt_map
    table.family, table.kind = (mapping.family, mapping.kind) if mapping is not None else (BY_HAND, "deform")
    bones = mapping.bones if mapping is not None else {}
    table.rows.clear()
    for joint in skeleton.JOINT_NAMES:
        row = table.rows.add()
        row.name = joint
        row["bone"] = bones.get(joint, "")  # without an update a row
    remember(armature)


def remember(armature: bpy.types.Armature) -> None:
    """Keep the table for rigs with the same bones, when it is right. A folder that cannot be written is passed over:
    the table itself is in the file."""
    parents = parents_of(armature)
    with contextlib.suppress(document.MapError, OSError):
        store.remember(maps_folder(), document.loads(as_json(armature), parents), parents)


def forget(armature: bpy.types.Armature) -> None:
    """Drop the table and what was remembered: the add-on recognises the rig itself again."""
    armature.motion_prompt_map.rows.clear()
    with contextlib.suppress(OSError):
        store.forget(maps_folder(), parents_of(armature))


CLASSES = (MotionPromptMapRow, MotionPromptMap)


def register() -> None:
    bpy.types.Armature.motion_prompt_map = PointerProperty(type=MotionPromptMap)


def unregister() -> None:
    del bpy.types.Armature.motion_prompt_map
