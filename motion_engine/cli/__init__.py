# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line ``motion-prompt``: one file a command, imported only when it runs."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from motion_engine import __version__
from motion_engine.errors import EngineError

COMMANDS = (
    "generate",
    "batch",
    "caption",
    "find",
    "serve",
    "doctor",
    "bench",
    "bundles",
    "convert",
    "smpl",
    "import-checkpoint",
)

USER_ERROR = 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence and what to do, in the form of every other error here."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: {message}. See '{self.prog} --help'.\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(prog="motion-prompt", description="Type a sentence, get a motion.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"motion-prompt {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"motion_engine.cli.{name.replace('-', '_')}")
        sentence = module.HELP[0].upper() + module.HELP[1:] + "."
        command = commands.add_parser(name, help=module.HELP, description=sentence, allow_abbrev=False)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _utf8_output() -> None:
    """Prompts hold any script; a Windows console or a pipe with a narrow encoding must not break us."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 (something failed), 2 (a wrong request), 130 (Ctrl-C)."""
    _utf8_output()
    arguments = build_parser().parse_args(argv)
    program = f"motion-prompt {arguments.command}"
    try:
        return int(arguments.run(arguments))
    except EngineError as error:
        print(f"{program}: {error.message} {error.fix}".rstrip(), file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print(f"{program}: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # the reader of a pipe has gone; keep the interpreter from complaining about it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
