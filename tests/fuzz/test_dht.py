"""A few rounds of each fuzz target with every run of the tests; `python -m tests.fuzz.dht` goes on for longer."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.fuzz.dht import TARGETS, dht_answers, dht_frames, dht_messages, dht_session
from tests.fuzz.wire import main, run

ROUNDS: dict[Callable[[random.Random], None], int] = {
    dht_messages: 300,
    dht_frames: 100,
    dht_session: 40,
    dht_answers: 25,
}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_rounds(target: Callable[[random.Random], None]) -> None:
    for seed in range(ROUNDS[target]):
        run(target, seed)


def test_the_driver_takes_other_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "0.01"], targets=[dht_frames]) == 0
    assert "rounds of 1 targets" in capsys.readouterr().out
