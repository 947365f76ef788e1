"""Where the data directory is."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiral.config.data_dir import absolute, default_data_dir


def test_the_variable_comes_first() -> None:
    assert default_data_dir({"CHIRAL_DATA": "/srv/x"}) == Path("/srv/x")


def test_else_it_is_in_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_data_dir({"CHIRAL_DATA": ""}) == Path("/home/somebody/.chiral")


def test_relative_paths_and_home_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir(tmp_path)
    assert absolute(Path("x/../y")) == tmp_path / "y"
    assert absolute(Path("~/z")) == Path("/home/somebody/z")
