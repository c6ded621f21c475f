# SPDX-License-Identifier: GPL-3.0-or-later
"""From trained networks to a bundle that the engine runs."""
