"""Rounds: everybody in turn, a warm-up that does not count, and what a failure or the end of the time does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from interop.bench.figures import Figures
from interop.bench.rounds import Turn, rotated, take_turns
from interop.bench.run import Options, Run
from interop.bench.work import CEILING, DISK, TMPFS, Sample, Work
from interop.child import PeerError
from interop.kinds import Kind

WORK = Work("w", "u")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    options = Options(rounds=3, quick=False, budget_s=100.0)
    return Run(options, Figures(), tmp_path / "tmpfs", tmp_path / "disk", [Kind.PYTHON], float("inf"))


def turn(name: str, played: list[tuple[str, int]], *, fails: Sequence[int] = ()) -> Turn:
    async def play(number: int) -> Sequence[Sample]:
        played.append((name, number))
        await trio.lowlevel.checkpoint()
        if number in fails:
            raise PeerError(f"{name} fails")
        return [Sample(WORK, name, float(number))]

    return Turn(name, play)


async def test_all_play_each_round_and_the_warm_up_does_not_count(run: Run) -> None:
    played: list[tuple[str, int]] = []
    await take_turns(run, [turn("a", played), turn("b", played)])
    assert [number for _, number in played] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert {series.who: series.values for series in run.figures.series()} == {"a": (1, 2, 3), "b": (1, 2, 3)}


async def test_another_begins_each_round(run: Run) -> None:
    played: list[tuple[str, int]] = []
    await take_turns(run, [turn("a", played), turn("b", played)], warm_up=False)
    assert [name for name, _ in played] == ["a", "b", "b", "a", "a", "b"]


async def test_one_failure_costs_one_figure_and_two_end_it(run: Run) -> None:
    played: list[tuple[str, int]] = []
    turns = [turn("once", played, fails=[1]), turn("twice", played, fails=[1, 2])]
    await take_turns(run, turns, warm_up=False)
    assert {series.who: series.values for series in run.figures.series()} == {"once": (2, 3)}
    assert ("twice", 3) not in played
    assert {failure.what: failure.why for failure in run.figures.failures} == {
        "once": "once fails",
        "twice": "twice fails",
    }


async def test_a_turn_that_takes_too_long_is_a_failure(run: Run, autojump_clock: trio.abc.Clock) -> None:
    async def play(number: int) -> Sequence[Sample]:
        await trio.sleep_forever()
        return []

    await take_turns(run, [Turn("slow", play)], rounds=1, warm_up=False)
    assert run.figures.failures[0].why == "not done within 180 s"


async def test_a_fault_of_the_benchmark_itself_is_not_hidden(run: Run) -> None:
    async def play(number: int) -> Sequence[Sample]:
        await trio.lowlevel.checkpoint()
        raise KeyError("x")

    with pytest.raises(KeyError):
        await take_turns(run, [Turn("wrong", play)])


async def test_when_the_time_is_up_one_round_has_counted(run: Run, autojump_clock: trio.abc.Clock) -> None:
    run.deadline = trio.current_time() + 5

    async def play(number: int) -> Sequence[Sample]:
        await trio.sleep(10)
        return [Sample(WORK, CEILING, 1.0)]

    await take_turns(run, [Turn("long", play)])
    assert run.figures.series()[0].values == (1.0,)
    assert "after 1 of 3 rounds" in run.figures.failures[0].why


def test_rotation_goes_round_the_end() -> None:
    played: list[tuple[str, int]] = []
    turns = [turn(name, played) for name in "abc"]
    assert ["".join(t.name for t in rotated(turns, by)) for by in (-1, 0, 1, 3, 5)] == [
        "cab",
        "abc",
        "bca",
        "abc",
        "cab",
    ]
    assert rotated([], 2) == []


def test_a_run_knows_its_directories_and_its_peers(run: Run, tmp_path: Path) -> None:
    assert run.folder(TMPFS, "x") == tmp_path / "tmpfs" / "x"
    assert run.folder(DISK, "x").is_dir()
    assert run.has(Kind.PYTHON)
    assert not run.has(Kind.PYTHON, Kind.GO)
