# SPDX-License-Identifier: GPL-3.0-or-later
"""States in which an armature can take no motion, each with its sentence: hidden, elsewhere, without size or length."""

from __future__ import annotations

import bpy
import numpy as np

from . import rig_maps
from .status import Fix, UserError

_LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))


def refuse_unseen(target: bpy.types.Object, context: bpy.types.Context) -> None:
    """Make sure that a motion on the armature would be seen in the context's scene.

    Raises
    ------
    UserError
        If the armature is in another scene, or hidden together with all that it deforms.
    """
    scene = context.scene
    choose = Fix(
        "Use the Default Character", "motion_prompt.generate", {"new_character": True}, "ARMATURE_DATA"
    )
    if scene.objects.get(target.name) != target:
        others = [f"'{other.name}'" for other in bpy.data.scenes if other.objects.get(target.name) == target]
        where = f"in the scene {others[0]}" if others else "in no scene"
        go = "Switch to that scene, or link" if others else "Link"
        raise UserError(
            f"'{target.name}' is {where}, not in '{scene.name}'. {go} it into this one "
            "(Object > Link/Transfer Data > Link Objects to Scene). Nothing was changed.",
            [choose],
        )
    layer = context.view_layer
    if _is_visible(target, layer) or any(
        other.type == "MESH" and other.find_armature() == target and _is_visible(other, layer)
        for other in layer.objects
    ):
        return
    raise UserError(
        f"'{target.name}' is hidden. {_how_to_show(target, layer)} Nothing was changed.", [choose]
    )


def _is_visible(thing: bpy.types.Object, layer: bpy.types.ViewLayer) -> bool:
    return layer.objects.get(thing.name) == thing and thing.visible_get(view_layer=layer)


def _how_to_show(target: bpy.types.Object, layer: bpy.types.ViewLayer) -> str:
    """What hides an object, and how to undo it."""
    if layer.objects.get(target.name) != target:
        return "Its collection is excluded from the view layer: tick the collection in the Outliner."
    if target.hide_viewport:
        return "It is disabled in viewports: click the screen beside it in the Outliner."
    if target.hide_get(view_layer=layer):
        return "Show it with the eye beside it in the Outliner, or all that is hidden with Alt H."
    return "Its collection is hidden: click the eye or the screen beside the collection in the Outliner."


def refuse_without_size(target: bpy.types.Object) -> None:
    """Make sure that the armature has a size in all directions.

    Raises
    ------
    UserError
        If the object, or one that it hangs from, is scaled to nothing.
    """
    axes = np.array(target.matrix_world, dtype=float)[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if np.isfinite(axes).all() and lengths.min() > 1e-9:
        return
    raise UserError(
        f"'{target.name}' is scaled to nothing along an axis, so no motion can be put on it. Give it a scale other "
        "than 0 in the sidebar's Item tab (and what it is parented to), or reset it with Alt S. Nothing was changed."
    )


def refuse_without_length(target: bpy.types.Object, mapping: rig_maps.Mapping) -> None:
    """Make sure that the limbs have length: an upper and a lower bone that start at one point give no direction.

    Raises
    ------
    UserError
        Naming the two bones.
    """
    bones = target.data.bones
    heads = {
        joint: np.array(bones[bone].head_local) for joint, bone in mapping.bones.items() if bone in bones
    }
    size = float(np.ptp(np.array(list(heads.values())), axis=0).max())
    for side in ("left", "right"):
        for upper, lower in _LIMBS:
            first, second = f"{side}_{upper}", f"{side}_{lower}"
            if first not in heads or second not in heads:
                continue
            if np.linalg.norm(heads[first] - heads[second]) <= 1e-4 * size:
                raise UserError(
                    f"'{target.name}': '{mapping.bones[first]}' and '{mapping.bones[second]}' start at the same point, "
                    f"so the {side} {'leg' if lower in ('knee', 'ankle') else 'arm'} has a part without length. Move "
                    "one of them in Edit Mode, or correct the Rig Map. Nothing was changed."
                )
