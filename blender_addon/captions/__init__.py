# SPDX-License-Identifier: GPL-3.0-or-later
"""From Actions to sentences, and from words to Actions.

The road of a caption: `operators` -> `sources` -> `clip_run` -> `sampling.portions` -> `engine.worker` == HTTP == the
engine, and back: `caption_run` -> `describe`. That of a search: `find` -> `index_run` and `query_run` -> `action_list`.
"""
