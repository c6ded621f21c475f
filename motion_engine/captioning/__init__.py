# SPDX-License-Identifier: GPL-3.0-or-later
"""From a motion to words: captions, tags, search by words, and motions that come with their sentence.

The road of a caption: `canonical` (any joints to a `Motion`) -> `segments` (parts of a long clip) -> `latents` (the
encoder) -> `captioner` (memory, directly or through `motion_engine.samplers.mote`) -> `beam_search` -> `ranking`
(candidates against the motion in the joint space) -> `tags`.
"""
