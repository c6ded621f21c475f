# SPDX-License-Identifier: GPL-3.0-or-later
"""Learning side: data, models, training, evaluation and export of bundles. Needs the extra ``train``."""
