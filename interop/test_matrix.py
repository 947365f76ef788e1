"""The part of the matrix that every test run plays: each pair once, the bootstrap nodes taking turns, up to 10 MiB."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from interop.kinds import Kind
from interop.matrix import SMALL_SIZES, Cell, Help, Swarm, notes, pairs, rotated, row, size_text
from interop.swarm import run_swarm


@pytest.mark.parametrize("swarm", rotated(list(Kind)), ids=str)
async def test_files_arrive_whole(swarm: Swarm, tmp_path: Path, need: Callable[..., None]) -> None:
    need(swarm.provider, swarm.fetcher, swarm.bootstrap)
    cells = await run_swarm(swarm, SMALL_SIZES, tmp_path)
    assert [cell.error for cell in cells] == [""] * len(SMALL_SIZES)


def test_each_pair_has_a_python_node_and_each_kind_stands_on_both_sides() -> None:
    made = pairs(list(Kind))
    assert all(Kind.PYTHON in pair for pair in made)
    assert {provider for provider, _ in made} == {fetcher for _, fetcher in made} == set(Kind)


def test_every_kind_takes_its_turn_as_bootstrap_node() -> None:
    assert {swarm.bootstrap for swarm in rotated(list(Kind))} == set(Kind)


def test_the_table_shows_marks_and_failures() -> None:
    swarm = Swarm(Kind.RUST_NEWEST, Kind.PYTHON, Kind.GO)
    cells = [Cell(0, 0.5), Cell(1, 0.25, Help.CONNECTED, "nobody"), Cell(2, error="it broke\noff")]
    assert row(swarm, cells).split() == ["rust-newest", "python", "go", "0.500", "s", "0.250", "sc", "FAILED"]
    below = notes([(swarm, cells)])
    assert below[0].startswith("c: ")
    assert below[1:] == [f"FAILED {swarm}, 2 B: it broke off", f"c {swarm}, 1 B: nobody"]


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1, "1 B"), (262_144, "256 KiB"), (262_145, "256 KiB+1"), (104_857_600, "100 MiB")]
)
def test_sizes_read_as_in_the_head(size: int, text: str) -> None:
    assert size_text(size) == text
