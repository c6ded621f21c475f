# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks on torch, for those who have it. The only place of the engine that imports torch."""
