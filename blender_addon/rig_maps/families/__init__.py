# SPDX-License-Identifier: GPL-3.0-or-later
"""The known rig families, one file each; of two that fit alike the one with the higher rank wins."""

from __future__ import annotations

from ..family import RigFamily
from . import (
    auto_rig_pro,
    biped,
    character_creator,
    cloudrig,
    cmu,
    daz,
    generic,
    humanik,
    mixamo,
    mmd,
    mpfb,
    optitrack,
    rigify,
    rokoko,
    smpl,
    smpl_numbers,
    smplh,
    smplx,
    soma,
    unity,
    unreal,
    vrm,
    xsens,
)

FAMILIES: tuple[RigFamily, ...] = (
    rigify.CONTROLS, auto_rig_pro.CONTROLS, cloudrig.FAMILY,
    rigify.DEFORM, rigify.METARIG, auto_rig_pro.EXPORTED,
    mixamo.FAMILY, humanik.FAMILY, cmu.FAMILY, cmu.ASF, soma.FAMILY, rokoko.FAMILY,
    unreal.UE4, unreal.UE5, mpfb.DEFAULT, mpfb.GAME_ENGINE,
    vrm.VROID, vrm.ADDON, vrm.HUMANOID, unity.FAMILY,
    smplx.FAMILY, smplh.FAMILY, smpl.FAMILY, smpl_numbers.FAMILY,
    daz.GENESIS_8, daz.GENESIS_9, daz.POSER, character_creator.FAMILY,
    biped.FAMILY, biped.VALVE, xsens.MVN, xsens.BVH, optitrack.FAMILY,
    mmd.JAPANESE, mmd.ENGLISH, mmd.ROMAJI, generic.FAMILY,
)  # fmt: skip
