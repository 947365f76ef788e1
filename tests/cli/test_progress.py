"""Progress bars: only for a terminal."""

from __future__ import annotations

import sys

import pytest

from chiral.cli.progress import progress_bar


def test_nothing_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("file") as progress:
        progress(1, 2)
    assert capsys.readouterr() == ("", "")


def test_a_bar_shows_label_share_and_speed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress_bar("a [file]") as progress:
        progress(512 * 1024, 1024 * 1024)
    out, err = capsys.readouterr()
    assert out == ""
    assert "a [file]" in err
    assert "0.5/1.0 MiB" in err


def test_no_bar_where_none_is_wanted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar("file", wanted=False) as progress:
        progress(1, 2)
    assert capsys.readouterr().err == ""
