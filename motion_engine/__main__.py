# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m motion_engine``: the same as the command ``motion-prompt``."""

import sys

from motion_engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
