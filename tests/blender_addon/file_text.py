# SPDX-License-Identifier: GPL-3.0-or-later
"""All that an open .blend holds as text, to see that nothing of it was changed."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

_KINDS = ("objects", "armatures", "meshes", "actions", "scenes", "collections", "texts", "materials")
_SKIPPED = {
    "rna_type", "id_data", "original", "view_layers", "depsgraph", "users", "is_evaluated", "tag", "use_nodes",
    # settings of tools and renderers, some of which crash Blender 4.2 when they are read without a window
    "tool_settings", "display", "eevee", "cycles", "cycles_curves", "view_settings", "render", "sequencer_colorspace",
}  # fmt: skip
_DEPTH = 7


def file_lines() -> list[str]:
    """A line for every property of all data-blocks: bones, curves, constraints, custom properties."""
    lines: list[str] = []
    for kind in _KINDS:
        for block in getattr(bpy.data, kind):
            lines += _lines(block, f"{kind}/{block.name_full}", set(), _DEPTH)
    return lines


def _lines(item: object, path: str, seen: set[int], depth: int) -> Iterator[str]:
    pointer = item.as_pointer()
    if pointer in seen or depth == 0:
        return
    seen.add(pointer)
    for prop in item.bl_rna.properties:
        name = prop.identifier
        if name in _SKIPPED:
            continue
        try:
            value = getattr(item, name)
        except (AttributeError, RuntimeError, TypeError):
            continue
        where = f"{path}.{name}"
        if prop.type == "COLLECTION":
            for i, part in enumerate(value):
                if isinstance(part, bpy.types.ID):
                    yield f"{where}[{i}] -> {part.name_full}\n"
                elif hasattr(part, "bl_rna"):
                    yield from _lines(part, f"{where}[{i}]", seen, depth - 1)
        elif prop.type == "POINTER":
            if isinstance(value, bpy.types.ID):
                yield f"{where} -> {value.name_full}\n"
            elif value is not None:
                yield from _lines(value, where, seen, depth - 1)
        else:
            yield f"{where} = {_plain(value)}\n"
    if hasattr(item, "keys") and not isinstance(item, bpy.types.bpy_prop_collection):
        try:
            own = {key: str(item[key]) for key in item.keys()}  # noqa: SIM118
        except TypeError:  # a type without custom properties
            return
        yield f"{path}: {sorted(own.items())}\n"


def _plain(value: object) -> str:
    try:
        return str([tuple(row) if hasattr(row, "__len__") else row for row in value])
    except TypeError:
        return str(value)
