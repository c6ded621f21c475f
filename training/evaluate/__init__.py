# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a model is: the papers' metrics, evaluator networks, motion quality, the report."""
