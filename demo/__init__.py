# SPDX-License-Identifier: GPL-3.0-or-later
"""The first command of the README: a prompt becomes an animated .blend and a preview."""
