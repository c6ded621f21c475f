# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animator does first, in the window of a real Blender: open the tab, type, press Enter, see keys."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from blender_window import REPOSITORY, BlenderWindow

PICTURES = Path(os.environ.get("MOTION_PROMPT_PICTURES", REPOSITORY / "out" / "real_window"))


def test_prompt_makes_the_character_walk(window: BlenderWindow) -> None:
    before = window.state()
    prompt = "a person walks forward"
    window.type_prompt(prompt)
    state = window.wait(
        lambda s: any(rig["action"] for rig in s["armatures"]) or s["tab"]["kind"] == "ERROR",
        180,
        "an animated character",
    )
    window.settle()
    window.shot(PICTURES / "walk.png")
    assert state["tab"]["kind"] != "ERROR", state["tab"]["text"]
    (rig,) = [r for r in state["armatures"] if r["action"]]
    assert rig["action"] == prompt
    assert rig["slot"], "the Action has no slot, so it animates nothing"
    assert rig["curves"] >= 22 * 3
    path = np.array(rig["path"])
    assert np.linalg.norm(path[-1, :2] - path[0, :2]) > 0.5, "the character did not walk anywhere"
    assert state["online"] is False, "the engine must not need Blender's permission to go online"
    assert (state["fps"], state["frame_range"]) == (before["fps"], before["frame_range"])


def test_second_prompt_goes_onto_the_same_character(window: BlenderWindow) -> None:
    """It becomes another Action; nothing is added to the scene."""
    window.type_prompt("someone waves with the right hand")
    state = window.wait(
        lambda s: len(s["actions"]) >= 2 or s["tab"]["kind"] == "ERROR", 60, "the second Action"
    )
    window.settle()
    window.shot(PICTURES / "wave.png")
    assert state["tab"]["kind"] != "ERROR", state["tab"]["text"]
    assert len(state["armatures"]) == 1
    assert state["armatures"][0]["action"] == "someone waves with the right hand"


def test_undo_takes_the_motion_back_in_one_step(window: BlenderWindow) -> None:
    left, top, width, height = window.region("WINDOW")["box"]
    window.xdo("mousemove", left + width // 3, top + height // 2)
    window.xdo("key", "ctrl+z")
    state = window.wait(
        lambda s: s["armatures"] and s["armatures"][0]["action"] == "a person walks forward",
        20,
        "the first Action, back after one undo",
    )
    assert len(state["armatures"]) == 1


RIG_MAP_HEADER, SHOW_AND_CORRECT, FIRST_ROW = 516, 573, 620
"""Pixels from the top of the sidebar, with a status line of three rows and the takes open."""


def test_the_rig_map_is_shown_and_corrected_with_the_mouse(window: BlenderWindow) -> None:
    left, top, width, _ = window.open_tab("Motion")["box"]
    window.click(left + 60, top + RIG_MAP_HEADER)
    window.settle()
    window.click(left + width // 2, top + SHOW_AND_CORRECT)
    state = window.wait(lambda s: s["tab"]["rig_map"], 20, "the table of the rig map")
    assert state["tab"]["rig_map"]["head"] == "head" and len(state["tab"]["rig_map"]) == 22
    window.settle()
    window.shot(PICTURES / "rig_map.png")
    window.click(left + width // 2, top + FIRST_ROW)
    window.settle()
    window.xdo("type", "--delay", 25, "neck")
    window.settle()
    window.xdo("key", "Return")
    state = window.wait(lambda s: s["tab"]["rig_map"].get("head") == "neck", 20, "the corrected row")
    window.settle()
    window.shot(PICTURES / "rig_map_corrected.png")
