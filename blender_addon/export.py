# SPDX-License-Identifier: GPL-3.0-or-later
"""Export the selected character's animation: the motion alone (BVH, NPZ) or the character with it (GLB, FBX)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import addon_utils
import bpy
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from motion_engine.formats import bvh, npz

from . import rig
from .keyframes import credit
from .preserve import as_they_were, needed_by
from .sampling.clip import Reader, frame_range
from .status import Status, UserError

FORMATS = (
    ("BVH", "BVH", "The motion on the 22 joints of SMPL, for animation programs"),
    ("GLB", "GLB", "The character with its bones, meshes and this animation, for game engines and the web"),
    ("FBX", "FBX", "The character with its bones, meshes and this animation, for other 3D programs"),
    ("NPZ", "NPZ", "The motion in the layout of AMASS, for SMPL tools and Python"),
)

LICENCE_NOTE = "motion_licence"
"""Property of the armature in an .fbx: the model of the motion and its licence."""


def export(target: bpy.types.Object, path: Path, form: str) -> None:
    """Write the animation that an armature plays; the scene stays as it is, and the file appears whole or not at all.

    Parameters
    ----------
    form : BVH, GLB, FBX or NPZ.

    Raises
    ------
    UserError
        If there is no animation, the rig is not understood (BVH, NPZ) or the file cannot be written.
    """
    data = target.animation_data
    if data is None or (data.action is None and not len(data.nla_tracks)):
        raise UserError(f"'{target.name}' has no animation to export. Generate or select one first.")
    try:
        if form in {"BVH", "NPZ"}:
            motion = Reader(target).read().motion
            prompt = data.action.get("prompt") if data.action is not None else None
            motion.provenance = {
                "prompt": str(prompt or (data.action.name if data.action else target.name)),
                **credit(data.action),
            }
            (bvh if form == "BVH" else npz).save(motion, path)
        else:
            _write_character(target, path, form)
    except OSError as error:
        raise UserError(f"'{path}' cannot be written: {error.strerror or error}.") from None


def _write_character(target: bpy.types.Object, path: Path, form: str) -> None:
    """Blender's own exporter, in a scene that holds the character alone."""
    module, writer = {"GLB": ("io_scene_gltf2", _glb), "FBX": ("io_scene_fbx", _fbx)}[form]
    was_on = addon_utils.check(module)[1]
    if not was_on and addon_utils.enable(module) is None:
        raise UserError(f"Blender's own {form} exporter cannot be switched on. Enable it in the Preferences.")
    is_control = _is_control_rig(target)
    named = " ".join(credit(target.animation_data.action).values())
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".motion-prompt-", dir=path.parent) as folder,
            as_they_were(needed_by(target)),
        ):
            made = Path(folder) / f"clip.{form.lower()}"
            with _alone(target):
                writer(str(made), is_control, target, f"Motion: {named}" if named else "")
            # what has been marked for evaluation comes before the poses that are put back
            bpy.context.view_layer.update()
            made.replace(path)
    except RuntimeError as error:
        raise UserError(f"Blender's {form} exporter failed: {str(error).strip().splitlines()[-1]}") from None
    finally:
        if not was_on:
            addon_utils.disable(module)


@contextmanager
def _alone(target: bpy.types.Object) -> Iterator[None]:
    """Operators work in a scene that holds the character alone and ends with its animation."""
    own = bpy.context.scene
    frames = frame_range(target, None, own)
    scene = bpy.data.scenes.new("Motion Prompt Export")
    try:
        scene.render.fps, scene.render.fps_base = own.render.fps, own.render.fps_base
        scene.unit_settings.scale_length = own.unit_settings.scale_length
        scene.frame_start, scene.frame_end = frames[0], frames[-1]
        for item in (target, *_worn_by(target)):
            scene.collection.objects.link(item)
        with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
            yield
    finally:
        bpy.data.scenes.remove(scene)


def _glb(path: str, is_control: bool, target: bpy.types.Object, words: str) -> None:
    bpy.ops.export_scene.gltf(
        filepath=path, export_format="GLB", use_active_scene=True, export_animation_mode="ACTIVE_ACTIONS",
        export_force_sampling=True, export_optimize_animation_size=False, export_def_bones=is_control,
        export_yup=True, export_apply=False, export_copyright=words,
    )  # fmt: skip


def _fbx(path: str, is_control: bool, target: bpy.types.Object, words: str) -> None:
    if words:
        target[LICENCE_NOTE] = words  # a property of the armature is the place that the format has for it
    try:
        bpy.ops.export_scene.fbx(
            filepath=path, object_types={"ARMATURE", "MESH"}, apply_scale_options="FBX_SCALE_ALL", add_leaf_bones=False,
            use_armature_deform_only=is_control, bake_anim_use_all_actions=False, bake_anim_use_nla_strips=False,
            bake_anim_simplify_factor=0.0, use_custom_props=bool(words),
        )  # fmt: skip
    finally:
        if words:
            del target[LICENCE_NOTE]


def _is_control_rig(target: bpy.types.Object) -> bool:
    try:
        return rig.bone_map(target).kind == "control"
    except ValueError:  # its bones need not be understood to be written
        return False


def _worn_by(target: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes that an armature moves."""
    return [
        item
        for item in bpy.data.objects
        if item.type == "MESH" and (item.find_armature() == target or item.parent == target)
    ]


class MOTION_PROMPT_OT_export(bpy.types.Operator, ExportHelper):
    """Write the selected character's animation to a file"""

    bl_idname = "motion_prompt.export"
    bl_label = "Export Motion"

    form: EnumProperty(name="Format", items=FORMATS, default="BVH")
    filter_glob: StringProperty(default="*.bvh;*.glb;*.fbx;*.npz", options={"HIDDEN"})

    @property
    def filename_ext(self) -> str:
        return f".{self.form.lower()}"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        cls.poll_message_set("Select an armature, or a mesh that wears one, first")
        return rig.selected_armature(context) is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        target = rig.selected_armature(context)
        data = target.animation_data
        name = data.action.name if data is not None and data.action is not None else target.name
        self.filepath = f"{bpy.path.clean_name(name)}{self.filename_ext}"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context: bpy.types.Context) -> bool:
        """Let the name follow the format."""
        path = Path(self.filepath)
        known = {f".{form.lower()}" for form, *_ in FORMATS}
        wanted = str(path.with_suffix(self.filename_ext) if path.suffix.lower() in known else self.filepath)
        if not wanted.lower().endswith(self.filename_ext):
            wanted += self.filename_ext
        changed = wanted != self.filepath
        self.filepath = wanted
        return changed

    def execute(self, context: bpy.types.Context) -> set[str]:
        from .operators import refuse
        from .session import session

        self.check(context)
        path = Path(bpy.path.abspath(self.filepath))
        try:
            export(rig.selected_armature(context), path, self.form)
        except UserError as error:
            return refuse(self, error.status())
        text = f"'{path.name}' is written."
        session.set_status(Status("DONE", text))
        self.report({"INFO"}, text)
        return {"FINISHED"}


def _draw_menu(menu: Any, context: bpy.types.Context) -> None:
    menu.layout.operator("motion_prompt.export", text="Character Motion (.bvh/.glb/.fbx/.npz)")


CLASSES = (MOTION_PROMPT_OT_export,)


def register() -> None:
    bpy.types.TOPBAR_MT_file_export.append(_draw_menu)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_export.remove(_draw_menu)
