# SPDX-License-Identifier: GPL-3.0-or-later
"""From mocap files to one compact set of motions with captions."""
