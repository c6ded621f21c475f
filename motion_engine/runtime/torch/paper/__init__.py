# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of MLD and MotionLCM as the papers have them, with the parameter names of the official checkpoints.

Written from published descriptions. Where the networks of this project's own bundles look at a latent every few
frames and at every word, these hold a whole clip in one latent (V1) or sixteen (V2) and read one sentence vector.
"""
