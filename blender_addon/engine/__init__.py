# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as the add-on sees it: a process, an HTTP client and a thread between them. Nothing here imports bpy."""
