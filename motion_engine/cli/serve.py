# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt serve``: the local HTTP engine that Blender talks to."""

from __future__ import annotations

import argparse

from motion_engine.cli.options import add_engine_options, non_negative, port_number, positive_int

HELP = "start the local engine that Blender talks to"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--port", type=port_number, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--parent-pid", type=positive_int, metavar="PID", help="end when this process ends")
    parser.add_argument(
        "--idle-timeout",
        type=non_negative,
        default=900.0,
        metavar="SECONDS",
        help="end after so long without a request (default: 900; 0: never)",
    )
    add_engine_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop; prints one line of JSON with port, token, version and pid."""
    from motion_engine.service import serve

    return serve(
        bundle=arguments.bundle,
        device=arguments.device,
        backend=arguments.backend,
        threads=arguments.threads,
        port=arguments.port,
        parent_pid=arguments.parent_pid,
        idle_timeout=arguments.idle_timeout,
    )
