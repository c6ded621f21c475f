# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of the menu: their labels, their licences, and what these forbid."""

from __future__ import annotations

from typing import Any

import bpy

from .session import session

NOT_FOR_SALE = "Clips made with it must not be sold"


def known(name: str) -> dict[str, Any] | None:
    """What the engine says about a model; the default one's for AUTO. None while that is not known."""
    for bundle in session.health.get("bundles", ()):
        if bundle["name"] == name or (name in {"AUTO", ""} and bundle["default"]):
            return dict(bundle)
    return None


def title(bundle: dict[str, Any]) -> str:
    """Label of a model wherever it is chosen."""
    return str(bundle["title"]) if bundle["commercial"] else f"{bundle['title']} (non-commercial)"


def default_title() -> str:
    """Label of the menu's first item, which stands for whatever model the engine was started with."""
    bundle = known("AUTO")
    return "Default Model" if bundle is None or bundle["commercial"] else "Default Model (non-commercial)"


def description(bundle: dict[str, Any]) -> str:
    """Tooltip of a model."""
    licence = f"Licence: {bundle['licence']}"
    return licence if bundle["commercial"] else f"{licence}. {NOT_FOR_SALE}"


def draw_mark(layout: bpy.types.UILayout, chosen: str) -> None:
    """A line that names a non-commercial model where its settings are not in sight; nothing for others."""
    bundle = known(chosen)
    if bundle is not None and not bundle["commercial"]:
        layout.label(text=title(bundle), icon="ERROR")


def draw(layout: bpy.types.UILayout, chosen: str) -> None:
    """Licence of the chosen model, what it forbids, and the buttons that add and remove models."""
    bundle = known(chosen)
    if bundle is not None:
        layout.label(text=f"Licence: {bundle['licence']}", icon="COPY_ID")
        if not bundle["commercial"]:
            layout.label(text=NOT_FOR_SALE, icon="ERROR")
    row = layout.row(align=True)
    row.operator("motion_prompt.add_model", icon="IMPORT")
    if bundle is not None and bundle["own"]:
        row.operator("motion_prompt.remove_model", icon="TRASH").name = bundle["name"]
