"""The figures of the DHT: idle traffic comes from another process or is told to be missing; goals name real works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from interop.bench import dht_idle
from interop.bench import dht_works as works
from interop.bench.figures import Figures
from interop.bench.reach import verdicts
from interop.bench.run import Options, Run
from interop.bench.work import GO, PYTHON, Sample
from interop.kinds import Kind


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Options(1, False, 1.0), Figures(), tmp_path, tmp_path, [Kind.PYTHON, Kind.GO], float("inf"))


def says(monkeypatch: pytest.MonkeyPatch, program: str) -> list[list[str]]:
    """Have a small program stand in for the measuring; the options it was given."""
    given: list[list[str]] = []

    def command(arguments: list[str]) -> list[str]:
        given.append(arguments)
        return [sys.executable, "-c", program]

    monkeypatch.setattr(dht_idle, "isolated", command)
    return given


async def test_idle_traffic_is_what_the_other_process_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given = says(monkeypatch, "print('{\"bytes_per_s\": 1234.5}')")
    await dht_idle.measure(run)
    assert run.figures.median(works.IDLE_TRAFFIC, works.SWARM) == 1234.5
    assert given == [["--houses", "9", "--go", "4", "--rust", "0", "--rust-054", "0"]]


async def test_where_no_namespace_is_to_be_had_the_reason_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, "import sys; sys.exit('not permitted')")
    with pytest.raises(OSError, match="not permitted"):
        await dht_idle.measure(run)
    assert run.figures.series() == []


def test_the_goals_are_held_against_these_works() -> None:
    figures = Figures()
    figures.take(
        [
            Sample(works.ANNOUNCED, PYTHON, 2000),
            Sample(works.ANNOUNCED, GO, 40),
            Sample(works.FIND_NODES, PYTHON, 0.01),
            Sample(works.FIND_NODES, works.ONE_BY_ONE, 20),
            Sample(works.search_p95(works.ALL_ALIVE), PYTHON, 600),
            Sample(works.search_p95(works.KILLED), PYTHON, 600),
            Sample(works.IDLE_TRAFFIC, works.SWARM, 2500),
        ]
    )
    met = {found.goal.text: found.text for found in verdicts(figures) if found.value is not None}
    assert list(met.values()) == ["aim met", "aim met", "not met", "aim met", "not met"]
    assert figures.ratio(works.ANNOUNCED, PYTHON, figures.base(works.ANNOUNCED, GO)) == 50
