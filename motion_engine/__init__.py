# SPDX-License-Identifier: GPL-3.0-or-later
"""The local text-to-motion engine: numpy and ONNX Runtime, torch only where it is asked for."""

__version__ = "0.1.0"
