"""A few rounds of each fuzz target with every run of the tests; `python -m tests.fuzz.wire` goes on for longer."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.fuzz.wire import TARGETS, main, run


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_rounds(target: Callable[[random.Random], None]) -> None:
    for seed in range(60):
        run(target, seed)


def test_a_failure_names_its_seed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(rng: random.Random) -> None:
        raise RuntimeError("found")

    monkeypatch.setattr("tests.fuzz.wire.TARGETS", [broken])
    with pytest.raises(RuntimeError, match="found"):
        main(["--seconds", "1", "--seed", "41"])
    assert "--seed 41" in capsys.readouterr().err


def test_the_driver_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "0.01"]) == 0
    assert "nothing found" in capsys.readouterr().out
