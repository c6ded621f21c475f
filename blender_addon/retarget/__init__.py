# SPDX-License-Identifier: GPL-3.0-or-later
"""From a `Motion` to the channels of another skeleton: numpy only, the whole clip at once."""
