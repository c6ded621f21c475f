# SPDX-License-Identifier: GPL-3.0-or-later
"""The default character: a mannequin made from formulas, on SMPL's joints."""
