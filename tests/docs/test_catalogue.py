"""What `chiral/docs/catalogue.md` says is so: its commands and options are there, its numbers are the program's."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import click
import pytest

from chiral.cli.commands.diff import MAX_TEXT_BYTES
from chiral.cli.main import COMMANDS
from chiral.encoding.deltas import MAX_FILE_BYTES
from chiral.files.expiry import SWEEP_INTERVAL_S
from chiral.files.known_file import MAX_OTHER_NAMES
from chiral.store.row_page import MAX_ROWS

TEXT = (Path(__file__).parents[2] / "chiral" / "docs" / "catalogue.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("line", LINES)
def test_the_commands_are_there(line: str) -> None:
    words = line.split("  ")[0].split()
    assert words[0] == "chiral"
    command: click.Command = import_module(COMMANDS[words[1]][0]).command
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_commands_in_running_text_are_there() -> None:
    for name in re.findall(r"`chiral ([a-z]+)", TEXT):
        assert name in COMMANDS


def test_the_numbers_are_the_programs() -> None:
    assert f"Files up to {MAX_FILE_BYTES >> 20} MiB" in TEXT
    assert f"texts up to {MAX_TEXT_BYTES >> 10} KiB" in TEXT
    assert (SWEEP_INTERVAL_S, MAX_OTHER_NAMES, MAX_ROWS) == (30, 16, 128)
