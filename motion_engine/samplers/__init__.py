# SPDX-License-Identifier: GPL-3.0-or-later
"""Samplers: one file each, schedule, loop and guidance; the network is a callable."""
