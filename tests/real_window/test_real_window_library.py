# SPDX-License-Identifier: GPL-3.0-or-later
"""The Library panel in the window of a real Blender: caption, cancel, undo, find, edit, vary, be surprised.

The window is opened anew on a library of its own, so this file comes after `test_real_window`.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blender_window import REPOSITORY, BlenderWindow

PICTURES = Path(os.environ.get("MOTION_PROMPT_PICTURES", REPOSITORY / "out" / "real_window"))
HERE = Path(__file__).parent

TAKES_HEADER, LIBRARY_HEADER = 209, 235
FIND, ALL, CAPTION, EDIT, SURPRISE = 266, 415, 443, 552, 612
"""Pixels from the sidebar's top, with no status line and one line under the action's name; All is at the left."""
LINE, STATUS_EDGE, TAGS_EDGE, VARIATION_BELOW_EDIT = 21, 15, 8, 29


class Library:
    """The panel, whose places depend on how many lines the texts above them take."""

    def __init__(self, window: BlenderWindow) -> None:
        self.window = window
        left, self.top, self.width, _ = window.open_tab("Motion")["box"]
        self.left, self.middle = left, left + self.width // 2

    def lines(self, text: str) -> int:
        """Return how many lines the sidebar needs for a text."""
        width = self.width / self.window.state()["scale"]
        return len(textwrap.wrap(text, max(20, int((width - 60) / 6.4))))

    def click(self, below: int, x: int | None = None) -> None:
        """Click at a place below the sidebar's top, moved by the status line."""
        self.window.settle()
        status = self.window.state()["tab"]["text"]
        moved = STATUS_EDGE + LINE * self.lines(status) if status else 0
        self.window.click(self.middle if x is None else x, self.top + below + moved)

    def below_sentence(self, below: int) -> int:
        """Return where something is that the sentence and tags of the shown action push down."""
        state = self.window.state()
        shown = state["armatures"][0]["action"]
        sentence, tags = state["library"]["captions"][shown], state["library"]["tags"][shown]
        return below + LINE * (self.lines(sentence) - 1 + self.lines(tags)) + (TAGS_EDGE if tags else 0)

    def wait(self, condition: Callable[[dict[str, Any]], Any], seconds: float, what: str) -> dict[str, Any]:
        """Wait for something; an error in the status line ends it."""
        try:
            state = self.window.wait(lambda s: condition(s) or s["tab"]["kind"] == "ERROR", seconds, what)
        except AssertionError:
            self.window.shot(PICTURES / "library_failed.png")
            raise
        assert state["tab"]["kind"] != "ERROR", state["tab"]["text"]
        return state

    def key(self, key: str) -> None:
        """Press a key over the 3D viewport."""
        left, top, width, height = self.window.region("WINDOW")["box"]
        self.window.xdo("mousemove", left + width // 3, top + height // 2)
        self.window.xdo("key", key)

    def picture(self, name: str) -> None:
        """Keep what is on the screen."""
        self.window.shot(PICTURES / f"library_{name}.png")


@pytest.fixture(scope="module")
def library(window: BlenderWindow) -> Library:
    """The window on 30 actions of one mannequin, of which the first has a tick."""
    window.close()
    window.open(HERE / "make_library.py")
    window.wait(lambda s: len(s["actions"]) == 30, 60, "the library")
    panel = Library(window)
    panel.click(TAKES_HEADER, panel.left + 60)
    panel.click(LIBRARY_HEADER, panel.left + 60)
    return panel


def test_surprise_makes_a_take_and_undo_takes_it_back(library: Library) -> None:
    library.click(SURPRISE)
    state = library.wait(lambda s: len(s["actions"]) == 31 and not s["tab"]["busy"], 120, "a surprise")
    library.picture("surprise")
    assert not state["armatures"][0]["action"].startswith("step")
    library.key("ctrl+z")
    state = library.wait(lambda s: len(s["actions"]) == 30, 20, "the file before the surprise")
    assert state["armatures"][0]["action"] == "step 00"


def test_the_ticked_action_gets_its_sentence_in_one_undo_step(library: Library) -> None:
    library.click(CAPTION)
    state = library.wait(lambda s: s["library"]["captions"], 60, "a caption")
    library.picture("caption")
    ((name, sentence),) = state["library"]["captions"].items()
    assert name == "step 00"
    assert state["tab"]["text"] == f"'{sentence}'"
    library.key("ctrl+z")
    library.wait(lambda s: not s["library"]["captions"], 20, "the file before the caption")
    library.key("ctrl+shift+z")
    library.wait(lambda s: s["library"]["captions"] == {name: sentence}, 20, "the caption again")


def test_esc_leaves_the_file_as_it_was(library: Library) -> None:
    before = library.window.state()
    library.click(ALL, library.left + 55)
    library.wait(lambda s: s["library"]["ticked"] == 30, 20, "ticks on all actions")
    library.click(CAPTION)
    library.wait(lambda s: s["library"]["running"], 20, "captioning")
    library.window.shot(PICTURES / "library_running.png")
    library.window.xdo("key", "Escape")
    state = library.wait(lambda s: not s["library"]["running"], 20, "the end of captioning")
    library.picture("cancelled")
    assert state["tab"]["text"] == "Cancelled. Nothing was changed."
    assert state["library"]["captions"] == before["library"]["captions"]
    for name in ("scenes", "frame"):
        assert state["library"][name] == before["library"][name]
    assert (state["actions"], state["armatures"]) == (before["actions"], before["armatures"])


def test_find_ranks_all_actions(library: Library) -> None:
    library.click(FIND)
    library.window.settle()
    library.window.xdo("type", "--delay", 25, "a person walks")
    library.window.settle()
    library.window.xdo("key", "Return")
    state = library.wait(
        lambda s: s["library"]["find"] == "a person walks" and not s["library"]["running"], 120, "the ranking"
    )
    library.picture("find")
    assert sorted(state["library"]["ranked"]) == state["actions"]


def test_an_edited_sentence_makes_a_take(library: Library) -> None:
    library.click(library.below_sentence(EDIT))
    sentence = library.window.state()["library"]["captions"]["step 00"]
    library.wait(lambda s: s["tab"]["prompt"] == sentence, 20, "the sentence in the prompt")
    library.picture("edit")
    library.window.type_prompt("a person jumps")
    state = library.wait(lambda s: len(s["actions"]) == 31 and not s["tab"]["busy"], 60, "a take")
    assert state["armatures"][0]["action"] == "a person jumps"
    library.key("ctrl+z")
    library.wait(lambda s: len(s["actions"]) == 30, 20, "the file before the take")


def test_a_variation_makes_a_take(library: Library) -> None:
    library.click(library.below_sentence(EDIT) + VARIATION_BELOW_EDIT, library.left + 70)
    state = library.wait(lambda s: len(s["actions"]) == 31 and not s["tab"]["busy"], 60, "a variation")
    library.picture("variation")
    assert state["armatures"][0]["action"] == "step 00 variation"
