# SPDX-License-Identifier: GPL-3.0-or-later
"""Where networks run: ONNX Runtime, or torch where it is installed and asked for."""
