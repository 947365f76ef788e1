"""What a soak's samples are taken to say, and what its tables show."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from interop.bench.work import GIB_BYTES, MIB_BYTES
from interop.soak.sample import Usage
from interop.soak.verdict import Round, Soak, findings, rate, report, to_json

QUIET = Usage(rss=120.0, own=90.0, threads=5, descriptors=16, store=512.0)
COUNT = 40


def soaked(grown: Callable[[float], Usage], end: Usage = QUIET) -> Soak:
    """Twenty GiB in rounds of half of one; `grown` is what a node takes after so many GiB."""
    rounds = [Round(n * GIB_BYTES // 2, 500.0, 250.0, {"node": grown(n / 2)}) for n in range(1, COUNT + 1)]
    return Soak(rounds, 3, {"node": QUIET}, {"node": end})


def grows(soak: Soak) -> list[str]:
    return [entry.what for entry in findings(soak) if not entry.holds]


def test_a_node_that_stays_as_it_was() -> None:
    assert grows(soaked(lambda gib: QUIET)) == []


def test_memory_that_leaks() -> None:
    assert grows(soaked(lambda gib: replace(QUIET, own=90 + 1.5 * gib))) == ["node: RssAnon MiB"]


def test_pages_of_the_store_are_no_leak() -> None:
    assert grows(soaked(lambda gib: replace(QUIET, rss=120 + 20 * gib))) == []


def test_a_leak_in_the_warm_up_alone_does_not_count() -> None:
    assert grows(soaked(lambda gib: replace(QUIET, own=min(90.0, 60 * gib)))) == []


def test_a_step_that_the_allocator_takes_is_no_leak() -> None:
    soak = soaked(lambda gib: replace(QUIET, own=90.0 if gib < 2.2 else 98.0))
    soak.rounds = soak.rounds[:6]
    assert grows(soak) == []


def test_a_store_that_does_not_reuse_its_pages() -> None:
    assert grows(soaked(lambda gib: replace(QUIET, store=512 + 1024 * gib))) == ["node: store MiB"]


@pytest.mark.parametrize("what", ["threads", "descriptors"])
def test_what_is_not_given_back(what: str) -> None:
    assert grows(soaked(lambda gib: QUIET, replace(QUIET, **{what: 17}))) == [f"node: {what}"]


def test_the_tables() -> None:
    text = report(soaked(lambda gib: QUIET))
    assert "| 0.500 (warm-up) |" in text
    assert "| 20.0 " in text
    assert text.count("holds") == 4
    assert "GROWS" not in text


def test_json_can_be_written() -> None:
    value = json.loads(json.dumps(to_json(soaked(lambda gib: QUIET))))
    assert len(value["rounds"]) == COUNT
    assert value["rounds"][0]["ends"]["node"]["own"] == 90.0
    assert [entry["holds"] for entry in value["findings"]] == [True] * 4


def test_a_rate_is_in_mib() -> None:
    assert rate(10 * MIB_BYTES, 2.0) == 5.0
