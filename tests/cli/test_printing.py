"""Sizes and durations in words, columns, and letters fit for a terminal."""

from __future__ import annotations

import pytest

from chiral.cli.printing import print_columns, printable, seconds_text, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536 * 1024, "1.5 MiB"),
        (1 << 40, "1.0 TiB"),
        (1 << 62, "4096.0 PiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (3700, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns([("a", "bbb", "c"), ("aaa", "b", "")])
    assert capsys.readouterr().out == "a    bbb  c\naaa  b\n"


def test_no_rows_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns([])
    assert capsys.readouterr().out == ""


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[31m\n\u202eé") == "a\ufffd[31m\ufffd\ufffdé"
