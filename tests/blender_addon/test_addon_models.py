# SPDX-License-Identifier: GPL-3.0-or-later
"""Models in the sidebar: labels of licences, adding a pack, using it, removing it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from packs import copy_of_base, leaning_on, zip_of  # noqa: E402

from blender_addon import headless, models  # noqa: E402
from blender_addon.properties import _sampler_items, request_body  # noqa: E402
from blender_addon.session import session  # noqa: E402
from blender_addon.status import UserError  # noqa: E402
from motion_engine.bundle import default_bundles_dir  # noqa: E402


class Layout:
    """Stands in for Blender's layout: the labels and buttons that were drawn."""

    def __init__(self):
        self.labels, self.buttons = [], []

    def label(self, text="", icon="NONE"):
        self.labels.append((text, icon))

    def row(self, align=False):
        return self

    def operator(self, name, icon="NONE"):
        self.buttons.append(name)
        return self


def offered(settings):
    """Items of the sampler's menu as Blender asks for them."""
    return [item[0] for item in _sampler_items(settings, None)]


def test_the_menu_has_the_samplers_of_the_model(engine, run, scene):
    """The default of the shipped model comes first; a model that lacks one is offered without it."""
    settings = scene.motion_prompt
    known = session.health
    try:
        session.health = {}
        assert offered(settings) == ["AUTO", "motionlcm", "emdm", "mld"], "while nothing is known"
        settings.sampler = "emdm"
        assert request_body(settings, "walk")["sampler"] == "emdm"
        model = {"title": "x", "commercial": True, "licence": "CC0-1.0", "own": True}
        session.health = {
            "bundles": [
                {**model, "name": "one", "default": True, "samplers": ["motionlcm", "emdm"]},
                {**model, "name": "two", "default": False, "samplers": ["motionlcm", "mld"]},
            ]
        }
        settings.bundle = "one"
        assert offered(settings) == ["AUTO", "motionlcm", "emdm"] and settings.sampler == "emdm"
        settings.bundle = "two"
        assert offered(settings) == ["AUTO", "motionlcm", "mld"] and settings.sampler == "AUTO"
        with pytest.raises(TypeError):
            settings.sampler = "emdm"
        assert request_body(settings, "walk")["sampler"] is None
    finally:
        settings.bundle = "AUTO"
        settings.sampler = "AUTO"
        session.health = known


def test_steps_and_guidance_of_a_sampler_are_not_carried_to_another(engine, scene):
    """EMDM has no eight steps, and its guidance is of another scale."""
    settings = scene.motion_prompt
    asked = request_body(settings, "walk")
    assert asked["sampler"] is asked["steps"] is asked["guidance"] is None
    settings.sampler = "motionlcm"
    settings.steps, settings.guidance = 8, 5.0
    assert request_body(settings, "walk")["steps"] == 8
    settings.sampler = "emdm"
    asked = request_body(settings, "walk")
    assert (asked["sampler"], asked["steps"], asked["guidance"]) == ("emdm", None, None)


def test_tries_are_the_samplers_own_unless_they_are_set(engine, scene):
    settings = scene.motion_prompt
    assert request_body(settings, "walk")["tries"] is None
    settings.tries = 3
    assert request_body(settings, "walk")["tries"] == 3
    assert request_body(settings, "walk", tries=1)["tries"] == 1


def test_who_leaves_the_sampler_to_the_model_gets_its_default(engine, scene):
    (action,) = headless.generate("a person walks", duration=1)
    assert (action["sampler"], action["steps"]) == ("motionlcm", 4)
    scene.motion_prompt.sampler = "emdm"
    scene.motion_prompt.steps = 8
    with pytest.raises(UserError, match=r"takes 1 to 4 steps, not 8\. .*motionlcm or mld would take 8"):
        headless.generate("a person walks", duration=1)


def test_a_sampler_that_the_model_lacks_is_refused_with_a_sentence(engine, scene):
    with pytest.raises(UserError, match="has no sampler 'mote'") as caught:
        headless.generate("a person walks", duration=1, sampler="mote")
    assert "motionlcm" in str(caught.value)


def drawn(name):
    layout = Layout()
    models.draw_mark(layout, name)
    models.draw(layout, name)
    return layout


@pytest.fixture(params=["whole", "leaning"])
def pack(tmp_path, request):
    """A non-commercial model, complete or with the files of the shipped one."""
    folder = tmp_path / "ambles"
    if request.param == "whole":
        copy_of_base(folder)
    else:
        leaning_on(default_bundles_dir() / "base", folder)
    return zip_of(folder, tmp_path / "ambles.zip", "ambles/")


def test_a_model_is_added_used_and_removed(engine, run, scene, pack):
    steps = len(bpy.data.actions), len(bpy.data.objects)
    assert bpy.ops.motion_prompt.add_model(filepath=str(pack)) == {"FINISHED"}
    assert session.status.text == "Adding ambles.zip..."
    assert not bpy.ops.motion_prompt.add_model.poll(), "one at a time"
    run()
    status = session.status
    assert status.kind == "DONE", status
    assert "CC-BY-NC-4.0" in status.text and "must not be sold" in status.text
    assert (len(bpy.data.actions), len(bpy.data.objects)) == steps
    assert scene.motion_prompt.bundle == "AUTO", "it is not chosen by itself"

    (use,) = status.fixes
    assert use.operator == "motion_prompt.use_model"
    bpy.ops.motion_prompt.use_model(**use.properties)
    assert scene.motion_prompt.bundle == "ambles"
    assert request_body(scene.motion_prompt, "walk")["bundle"] == "ambles"
    layout = drawn("ambles")
    assert ("Ambles (non-commercial)", "ERROR") in layout.labels
    assert ("Clips made with it must not be sold", "ERROR") in layout.labels
    assert layout.buttons == ["motion_prompt.add_model", "motion_prompt.remove_model"]
    (action,) = headless.generate("a person walks", duration=1)
    assert action["licence"] == "CC-BY-NC-4.0" and action["bundle"].startswith("ambles")

    assert bpy.ops.motion_prompt.remove_model(name="ambles") == {"FINISHED"}
    assert scene.motion_prompt.bundle == "AUTO"
    run()
    assert session.status.text == "The model 'ambles' was removed."
    assert models.known("ambles") is None
    layout = drawn("AUTO")
    assert [text for text, _ in layout.labels] == ["Licence: CC-BY-3.0"]
    assert layout.buttons == ["motion_prompt.add_model"]


def test_what_is_no_pack_is_refused_with_a_way_out(engine, run, scene, tmp_path):
    broken = tmp_path / "broken.zip"
    broken.write_text("no zip")
    assert bpy.ops.motion_prompt.add_model(filepath=str(broken)) == {"FINISHED"}
    run()
    assert session.status.kind == "ERROR" and "broken.zip is no zip" in session.status.text
    assert [fix.operator for fix in session.status.fixes] == ["motion_prompt.add_model"]
    assert bpy.ops.motion_prompt.remove_model(name="base") == {"FINISHED"}
    run()
    assert "comes with Motion Prompt" in session.status.text


def test_a_file_that_is_not_there(scene, tmp_path):
    assert bpy.ops.motion_prompt.add_model(filepath=str(tmp_path / "none.zip")) == {"CANCELLED"}
    assert "There is no file" in session.status.text and session.errand is None
    assert bpy.ops.motion_prompt.remove_model(name="") == {"CANCELLED"}


def test_labels_of_the_menu(scene):
    bundle = {
        "name": "a",
        "title": "A",
        "licence": "CC-BY-NC-4.0",
        "commercial": False,
        "own": True,
        "default": True,
    }
    session.health = {"bundles": [bundle]}
    assert models.title(bundle) == "A (non-commercial)"
    assert models.description(bundle) == "Licence: CC-BY-NC-4.0. Clips made with it must not be sold"
    assert models.default_title() == "Default Model (non-commercial)"
    scene.motion_prompt.bundle = "a"
    assert scene.motion_prompt.bundle == "a"
