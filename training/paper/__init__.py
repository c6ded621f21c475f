# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of the papers: MLD and MotionLCM, V1 and V2, on the HumanML3D and KIT-ML folders."""
