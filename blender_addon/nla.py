# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions as strips on top of an armature's NLA; its other tracks and the action that it plays are left alone."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from . import compat


def add_strips(
    target: bpy.types.Object, actions: Sequence[bpy.types.Action], track_name: str = ""
) -> tuple[str, list[str]]:
    """Put Actions on a track, each where its keys are.

    Parameters
    ----------
    actions : in the order of their frames; they must not overlap.
    track_name : a track from before that goes on, when it is still the top one; else a new one is made, with the name
        of the first Action.

    Returns
    -------
    The track's name, and sentences on what keeps the strips from showing.

    Raises
    ------
    RuntimeError
        If Blender refuses; the NLA is as it was.
    """
    data = target.animation_data or target.animation_data_create()
    tracks = data.nla_tracks
    goes_on = bool(track_name) and len(tracks) > 0 and tracks[-1].name == track_name
    track = tracks[-1] if goes_on else tracks.new()
    strips: list[bpy.types.NlaStrip] = []
    try:
        if not goes_on:
            track.name = actions[0].name
        for action in actions:
            strip = compat.new_strip(track, action.name, action)
            # beyond its own frames it says nothing, so that the tracks below play on
            strip.extrapolation = "NOTHING"
            strips.append(strip)
    except BaseException:
        for strip in strips:
            track.strips.remove(strip)
        if not goes_on:
            tracks.remove(track)
        raise
    return track.name, _hidden_by(data, track)


def _hidden_by(data: bpy.types.AnimData, track: bpy.types.NlaTrack) -> list[str]:
    if not data.use_nla:
        return ["It does not show yet: the NLA of this armature is switched off."]
    if any(other.is_solo and other != track for other in data.nla_tracks):
        return ["It does not show yet: another NLA track plays solo."]
    if data.action is not None and data.action_influence > 0 and data.action_blend_type == "REPLACE":
        return [
            f"The action '{data.action.name}' plays over it; to see the strip, unlink that in the Action Editor."
        ]
    return []
