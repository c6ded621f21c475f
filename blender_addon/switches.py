# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rig needs set once so that its keyed controls have an effect: FK/IK switches, IK constraints to be off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import bpy

from .retarget.options import Controls
from .rig_maps import Hints
from .status import UserError

Key = tuple[str, str]
"""A bone, and the path below it: ``["IK_FK"]``, ``.ik_stretch`` or ``.constraints["IK"].influence``."""


def custom(bone: str, prop: str) -> Key:
    """The key of a bone's custom property."""
    return bone, f'["{bpy.utils.escape_identifier(prop)}"]'


def influence(bone: str, constraint: str) -> Key:
    """The key of a constraint's influence."""
    return bone, f'.constraints["{bpy.utils.escape_identifier(constraint)}"].influence'


def path(key: Key) -> str:
    """The data path from the object."""
    return f'pose.bones["{bpy.utils.escape_identifier(key[0])}"]{key[1]}'


def of_controls(target: bpy.types.Object, hints: Hints | None, controls: Controls) -> dict[Key, float]:
    """Values with which the chosen controls of a control rig take effect.

    Raises
    ------
    UserError
        If a switch's bone lacks its property, or a driver holds it.
    """
    if hints is None:
        return {}
    bones = target.pose.bones
    values: dict[Key, float] = {}
    for limb in dict.fromkeys(switch.limb for switch in hints.switches):
        known = [switch for switch in hints.switches if switch.limb == limb]
        found = [switch for switch in known if switch.prop in bones[switch.bone]]
        if not found:
            missing = " or ".join(f"'{switch.bone}' has no property '{switch.prop}'" for switch in known)
            raise UserError(
                f"'{target.name}': {missing}, which switches the {limb.replace('_', ' ')} between FK and IK. "
                "Generate the rig again, or put the motion on its deform bones. Nothing was changed."
            )
        for switch in found:
            values[custom(switch.bone, switch.prop)] = switch.fk if controls == "FK" else switch.ik
    for setting in hints.settings:
        if setting.controls not in ("", controls):
            continue
        if setting.prop.startswith("."):
            values[setting.bone, setting.prop] = setting.value
        elif setting.prop in bones[setting.bone]:
            values[custom(setting.bone, setting.prop)] = setting.value
    refuse_driven(target, [path(key) for key in values])
    return values


def of_ik_constraints(target: bpy.types.Object, keyed: Sequence[str]) -> dict[Key, float]:
    """Zero for the influence of IK constraints whose chain would override keys on bones, and of what limits them.

    Raises
    ------
    UserError
        If a driver holds one of them.
    """
    wanted = set(keyed)
    values: dict[Key, float] = {}
    for bone in target.pose.bones:
        for constraint in bone.constraints:
            if constraint.type != "IK" or constraint.mute or constraint.target is None:
                continue
            chain = _chain(bone, constraint)
            if wanted.isdisjoint(one.name for one in chain):
                continue
            values[influence(bone.name, constraint.name)] = 0.0
            # MMD's knees bend one way only; the limit goes with the constraint, as mmd_ik_toggle has it
            for link in chain:
                for limit in link.constraints:
                    if limit.type == "LIMIT_ROTATION" and limit.name.startswith("mmd_ik_limit"):
                        values[influence(link.name, limit.name)] = 0.0
    refuse_driven(target, [path(key) for key in values])
    return values


def _chain(bone: bpy.types.PoseBone, constraint: bpy.types.Constraint) -> list[bpy.types.PoseBone]:
    """The bones that an IK constraint turns."""
    tip = bone if constraint.use_tail else bone.parent
    if tip is None:
        return []
    links = [tip, *tip.parent_recursive]
    return links[: constraint.chain_count] if constraint.chain_count else links


def get(target: bpy.types.Object, key: Key) -> object:
    """The value now; of a property with a menu its number."""
    if key[1].startswith("["):
        return target.pose.bones[key[0]][_property(key)]
    return target.path_resolve(path(key))


def _property(key: Key) -> str:
    return bpy.utils.unescape_identifier(key[1][2:-2])


def put(target: bpy.types.Object, key: Key, value: float | object) -> None:
    """Set the value, kept in the property's own type."""
    if key[1].startswith("["):
        bone, prop = target.pose.bones[key[0]], _property(key)
        bone[prop] = type(bone[prop])(value)
    else:
        owner, _, prop = path(key).rpartition(".")
        setattr(target.path_resolve(owner), prop, value)


def refuse_driven(target: bpy.types.Object, paths: Iterable[str]) -> None:
    """Make sure that no driver holds what is to be keyed.

    Raises
    ------
    UserError
        Naming the driven bones.
    """
    driven = list(_driven(target, set(paths)))
    if not driven:
        return
    named = ", ".join(f"'{name}'" for name in driven[:4])
    more = f" and {len(driven) - 4} more" if len(driven) > 4 else ""
    raise UserError(
        f"'{target.name}': drivers hold {named}{more}, so keys would have no effect there. Mute or delete the drivers "
        "(right-click the property, Delete Drivers), or put the motion on another rig. Nothing was changed."
    )


def _driven(target: bpy.types.Object, paths: set[str]) -> Iterator[str]:
    """Names of bones, or of their properties, that drivers hold; a muted or broken driver holds nothing."""
    named = set()
    for curve in target.animation_data.drivers if target.animation_data is not None else ():
        if curve.data_path not in paths or curve.mute or not curve.driver.is_valid:
            continue
        bone, _, below = curve.data_path[len('pose.bones["') :].partition('"]')
        prop = below.removeprefix(".").removeprefix('["').removesuffix('"]')
        name = bpy.utils.unescape_identifier(bone)
        if prop != "location" and not prop.startswith("rotation_"):
            name = f"{name}: {prop}"
        if name not in named:
            named.add(name)
            yield name
