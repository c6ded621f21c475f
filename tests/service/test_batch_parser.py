# SPDX-License-Identifier: GPL-3.0-or-later
"""Batch text to items: every way a line can be right or wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from motion_engine.batch import BatchItem, decode_batch, file_stem, parse_batch


def test_line_with_all_fields():
    text = (
        "# warm-up\n"
        "\n"
        "a man sits down | duration=3 | seed=5 | count=2 | name=sit | sampler=mld | steps=20 | guidance=4.5"
        " | tries=2\n"
    )
    items, errors = parse_batch(text)
    assert errors == []
    assert items == [
        BatchItem(3, "a man sits down", 3.0, 5, 2, "sit", "mld", 20, 4.5, 2),
    ]


def test_fields_are_optional_and_forgiving_about_spaces_and_case():
    items, errors = parse_batch("  someone   waves |Duration = 2.5s|  SEED=1 \r\na person runs\r\n")
    assert errors == []
    assert items == [
        BatchItem(1, "someone waves", duration=2.5, seed=1),
        BatchItem(2, "a person runs"),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("| seed=5", "no prompt"),
        ("a man | speed=5", "unknown field 'speed'"),
        ("a man | tries=17", "tries must be from 1 to 16, not 17"),
        ("a man | quickly", "field=value"),
        ("a man | duration=nan", "finite"),
        ("a man | duration=-1", "more than 0"),
        ("a man | duration=soon", "must be a number"),
        ("a man | seed=1.5", "whole number"),
        ("a man | seed=-1", "from 0"),
        ("a man | count=0", "from 1 to 32"),
        ("a man | count=33", "from 1 to 32"),
        ("a man | steps=0", "from 1"),
        ("a man | name=", "no value"),
        ("a man | seed=1 | seed=2", "twice"),
    ],
)
def test_bad_line_is_reported_with_its_number_and_the_rest_is_kept(line: str, said: str):
    items, errors = parse_batch(f"first\n# note\n{line}\nlast\n")
    assert [item.prompt for item in items] == ["first", "last"]
    assert [item.line for item in items] == [1, 4]
    (error,) = errors
    assert (error.line, error.text) == (3, line)
    assert said in error.message


def test_csv_with_heading_quotes_and_empty_cells():
    text = (
        "Prompt,duration,seed,name\n"
        '"a man walks, then stops",4,7,walk stop\n'
        "# a comment\n"
        "a person jumps,,,\n"
        "a person runs,two,,\n"
        "a person runs, quickly,3,4,run\n"
    )
    items, errors = parse_batch(text)
    assert items == [
        BatchItem(2, "a man walks, then stops", duration=4.0, seed=7, name="walk stop"),
        BatchItem(4, "a person jumps"),
    ]
    assert [error.line for error in errors] == [5, 6]
    assert "duration" in errors[0].message
    assert "quote" in errors[1].message


def test_csv_line_numbers_survive_a_cell_of_two_lines():
    items, _ = parse_batch('prompt,seed\n"a man\nwalks",1\na person runs,2\n')
    assert [(item.line, item.prompt) for item in items] == [(2, "a man walks"), (4, "a person runs")]


def test_a_prompt_with_a_comma_is_no_csv():
    items, errors = parse_batch("a man walks, then stops\nprompt, please\n")
    assert len(items) == 2 and not errors


def test_empty_text_and_only_comments_give_nothing():
    assert parse_batch("") == ([], [])
    assert parse_batch("# one\n\n  # two\n") == ([], [])


def test_unusual_separators_do_not_shift_line_numbers():
    items, _ = parse_batch("a\u2028man\x0bwalks\nsecond")
    assert [(item.line, item.prompt) for item in items] == [(1, "a man walks"), (2, "second")]


def test_decoding():
    assert decode_batch("\ufeffein Mann läuft".encode()) == "ein Mann läuft"
    assert decode_batch("ein Mann läuft".encode("utf-16")) == "ein Mann läuft"
    with pytest.raises(ValueError, match="UTF-8"):
        decode_batch(b"ein Mann l\xe4uft")
    with pytest.raises(ValueError, match="text file"):
        decode_batch(b"PK\0\0")


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("a man sits down", "a-man-sits-down"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\temp\\x", "C-temp-x"),
        ("con", "con-clip"),
        ("LPT1.txt", "LPT1.txt-clip"),
        ("???", "clip"),
        ("ein Mann läuft", "ein-Mann-läuft"),
        ("x" * 200, "x" * 60),
        (".hidden.", "hidden"),
    ],
)
def test_file_stems_are_safe_everywhere(text: str, stem: str):
    assert file_stem(text) == stem


def test_parser_needs_only_the_standard_library():
    code = (
        "import sys; from motion_engine.batch import parse_batch; parse_batch('a | seed=1');"
        "sys.exit(any(name.split('.')[0] in ('numpy', 'pydantic', 'onnxruntime') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
