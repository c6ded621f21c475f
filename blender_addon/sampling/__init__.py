# SPDX-License-Identifier: GPL-3.0-or-later
"""From an armature's animation to a `Motion`: which bones to read, their poses, back to the engine's skeleton.

`clip.sample` is the entrance. Plain rigs are read from their F-curves in numpy (`curves`), others are evaluated by
Blender in a scene of their own (`evaluate`). Nothing in the user's scene changes.
"""
