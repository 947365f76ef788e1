"""Goals: what was reached is told, in which direction a limit counts, and that a missing figure is no failure."""

from __future__ import annotations

import pytest

from interop.bench import reach, work
from interop.bench.figures import Figures
from interop.bench.reach import GOALS, Goal, Verdict, verdicts
from interop.bench.work import GO, MIB_BYTES, PYTHON, RUST, RUST_054, SHA256_ALONE, Sample, pair

RATIO = Goal("blocks", work.blocks(16), pair(PYTHON, PYTHON), GO, 0.8, 1.1)
LIMIT = Goal("memory", work.memory(reach.FETCHED), PYTHON, "", 150, 80)


@pytest.mark.parametrize(
    ("goal", "value", "text"),
    [
        (RATIO, None, "not measured"),
        (RATIO, 0.79, "not met"),
        (RATIO, 0.8, "met"),
        (RATIO, 1.1, "aim met"),
        (LIMIT, 151.0, "not met"),
        (LIMIT, 150.0, "met"),
        (LIMIT, 80.0, "aim met"),
    ],
)
def test_verdicts(goal: Goal, value: float | None, text: str) -> None:
    assert Verdict(goal, value).text == text


def test_a_ratio_of_times_counts_upward_too() -> None:
    figures = Figures()
    figures.take([Sample(work.LATENCY, pair(PYTHON, PYTHON), 0.2), Sample(work.LATENCY, pair(GO, GO), 0.1)])
    (verdict,) = (found for found in verdicts(figures) if found.goal.work == work.LATENCY)
    assert verdict.value == pytest.approx(0.5)
    assert verdict.text == "met"


def test_each_goal_is_held_against_its_own_base() -> None:
    hundred = work.get(100 * MIB_BYTES)
    figures = Figures()
    figures.take(
        [
            Sample(hundred, pair(PYTHON, PYTHON), 300.0),
            Sample(hundred, pair(GO, GO), 400.0),
            Sample(hundred, pair(RUST, RUST), 60.0),
            Sample(hundred, pair(RUST_054, RUST_054), 50.0),
            Sample(work.add(100 * MIB_BYTES), PYTHON, 500.0),
            Sample(work.add(100 * MIB_BYTES), SHA256_ALONE, 1000.0),
            Sample(work.START, PYTHON, 0.9),
        ]
    )
    values = {found.goal.text: found.value for found in verdicts(figures) if found.value is not None}
    assert values == {
        "whole-file get 100 MiB, against the Go peer's": pytest.approx(0.75),
        "the same against the Rust peer's": pytest.approx(5.0),
        "the same against Rust 0.54's": pytest.approx(6.0),
        "add 100 MiB, against SHA-256 alone": pytest.approx(0.5),
        "start to ready": pytest.approx(0.9),
    }


def test_nothing_measured_is_told_and_nothing_fails() -> None:
    found = verdicts(Figures())
    assert [entry["verdict"] for entry in reach.to_json(found)] == ["not measured"] * len(GOALS)


def test_the_aim_is_never_easier_than_what_is_wanted() -> None:
    for goal in GOALS:
        assert Verdict(goal, goal.aim).text == "aim met"
        assert Verdict(goal, goal.at_least).text in ("met", "aim met")
