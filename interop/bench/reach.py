"""The goals that the figures are held against: what is wanted at least and what is aimed at. Reports, never fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from interop.bench import archive_works, catalogue_works, collecting_works, dht_works, work
from interop.bench.figures import BASES, Figures
from interop.bench.work import (
    GIB_BYTES,
    GO,
    MIB_BYTES,
    PYTHON,
    RUST,
    RUST_054,
    SHA256_ALONE,
    Better,
    Work,
    pair,
)

_PYTHON_PAIR = pair(PYTHON, PYTHON)
_HUNDRED_MIB = 100 * MIB_BYTES
ADDED = f"add {work.size_text(GIB_BYTES)}"
FETCHED = f"get {work.size_text(GIB_BYTES)}"


@dataclass(frozen=True, slots=True)
class Goal:
    """`at_least` and `aim` are ratios to `base` where there is one, else limits of the value itself."""

    text: str
    work: Work
    who: str
    base: str
    at_least: float
    aim: float

    @property
    def unit(self) -> str:
        """What the three numbers are in."""
        return "x" if self.base else self.work.unit


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and what was reached, None where it was not measured."""

    goal: Goal
    value: float | None

    @property
    def text(self) -> str:
        """One of: not measured, not met, met, aim met."""
        if self.value is None:
            return "not measured"
        if self._reaches(self.value, self.goal.aim):
            return "aim met"
        return "met" if self._reaches(self.value, self.goal.at_least) else "not met"

    def _reaches(self, value: float, wanted: float) -> bool:
        upward = bool(self.goal.base) or self.goal.work.better is Better.MORE
        return value >= wanted if upward else value <= wanted


GOALS: Sequence[Goal] = (
    Goal("whole-file get 100 MiB, against the Go peer's", work.get(_HUNDRED_MIB), _PYTHON_PAIR, GO, 0.8, 1.0),
    Goal("the same against the Rust peer's", work.get(_HUNDRED_MIB), _PYTHON_PAIR, RUST, 3.0, 5.0),
    Goal("the same against Rust 0.54's", work.get(_HUNDRED_MIB), _PYTHON_PAIR, pair(RUST_054, RUST_054), 3.0, 5.0),
    Goal("blocks, 16 in flight, against Go from Go", work.blocks(16), _PYTHON_PAIR, GO, 0.8, 1.1),
    Goal("blocks from Rust, against Rust from Rust", work.blocks(16), pair(PYTHON, RUST), RUST, 1.5, 1.8),
    Goal("blocks from Go, against Go from Go", work.blocks(16), pair(PYTHON, GO), GO, 0.6, 0.8),
    Goal("add 100 MiB, against SHA-256 alone", work.add(_HUNDRED_MIB), PYTHON, SHA256_ALONE, 0.35, 0.5),
    Goal("export 100 MiB, against a hashed copy", archive_works.EXPORT, PYTHON, archive_works.COPY, 0.6, 0.8),
    Goal("import 100 MiB, against a hashed copy", archive_works.IMPORT, PYTHON, archive_works.COPY, 0.6, 0.8),
    Goal("1-byte request, against Go from Go", work.LATENCY, _PYTHON_PAIR, GO, 0.4, 0.6),
    Goal("peak memory over idle, get 1 GiB", work.memory(FETCHED), PYTHON, "", 150, 80),
    Goal("peak memory over idle, add 1 GiB", work.memory(ADDED), PYTHON, "", 150, 80),
    Goal("start to ready", work.START, PYTHON, "", 1.0, 1.0),
    Goal("idle memory (VmRSS)", work.IDLE_MEMORY, PYTHON, "", 100, 100),
    Goal("idle CPU", work.IDLE_CPU, PYTHON, "", 1.0, 1.0),
    Goal("10,000 keys announced into 25 nodes in 10 s", dht_works.ANNOUNCED, PYTHON, "", 1000, 1000),
    Goal("FIND_NODE requests a key, against one by one", dht_works.FIND_NODES, PYTHON, dht_works.ONE_BY_ONE, 20, 20),
    Goal("search, p95, all alive", dht_works.search_p95(dht_works.ALL_ALIVE), PYTHON, "", 500, 500),
    Goal("search, p95, 30 % killed", dht_works.search_p95(dht_works.KILLED), PYTHON, "", 2000, 2000),
    *(
        Goal(f"search for {what} among 100,000 files", catalogue_works.searched(what), PYTHON, "", 50, 50)
        for what in catalogue_works.QUERIES
    ),
    Goal("collect 100,000 dead blocks of 1,000,000", collecting_works.COLLECTED, PYTHON, "", 30, 30),
    Goal("block read while that goes on, p99", collecting_works.READ_P99, PYTHON, "", 20, 20),
    Goal("idle traffic of a node among 50", dht_works.IDLE_TRAFFIC, dht_works.SWARM, "", 2000, 2000),
)


def verdicts(figures: Figures, goals: Sequence[Goal] = GOALS) -> list[Verdict]:
    """What became of each goal."""
    return [Verdict(goal, _value(figures, goal)) for goal in goals]


def to_json(found: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The verdicts as JSON values."""
    return [
        {
            "goal": verdict.goal.text,
            "value": verdict.value,
            "unit": verdict.goal.unit,
            "at_least": verdict.goal.at_least,
            "aim": verdict.goal.aim,
            "verdict": verdict.text,
        }
        for verdict in found
    ]


def _value(figures: Figures, goal: Goal) -> float | None:
    if not goal.base:
        return figures.median(goal.work, goal.who)
    base = figures.base(goal.work, goal.base) if goal.base in BASES else figures.median(goal.work, goal.base)
    return figures.ratio(goal.work, goal.who, base)
