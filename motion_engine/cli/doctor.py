# SPDX-License-Identifier: GPL-3.0-or-later
"""``motion-prompt doctor``: what is installed, what is wrong and how to mend it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from motion_engine.cli.options import BACKENDS

HELP = "say what is installed, what is wrong and how to mend it"

MARKS = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--bundle", metavar="NAME", help="try this model bundle")
    parser.add_argument("--device", default="auto", help="try this device (default: auto)")
    parser.add_argument(
        "--backend", choices=BACKENDS, default="onnx", help="try this backend (default: onnx)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; exit code 1 when there is a problem."""
    from motion_engine.doctor import examine

    findings = []
    for finding in examine(arguments.bundle, arguments.device, arguments.backend):
        findings.append(finding)
        if not arguments.json:
            print(f"{MARKS[finding.status]} {finding.topic}: {finding.text}", flush=True)
            if finding.fix:
                print(f"        -> {finding.fix}", flush=True)
    problems = sum(finding.status == "problem" for finding in findings)
    if arguments.json:
        print(
            json.dumps({"ok": not problems, "findings": [asdict(finding) for finding in findings]}, indent=1)
        )
    else:
        print("Everything works." if not problems else f"{problems} problem(s) found.")
    return 1 if problems else 0
