"""Small jobs pass bulk, bulk is not starved, and nothing is lost or done twice."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from chiral.store.lanes import QUICK_BYTES, SHORT_FOR, Lanes

BATCH_BYTES = 4 << 20
BULK_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class Job:
    number: int
    size_bytes: int


def lanes_of(*sizes: int) -> Lanes[Job]:
    lanes: Lanes[Job] = Lanes(BATCH_BYTES)
    for number, size in enumerate(sizes):
        lanes.add(Job(number, size))
    return lanes


def numbers(batch: list[Job]) -> list[int]:
    return [job.number for job in batch]


def test_a_small_job_goes_before_bulk_and_alone() -> None:
    lanes = lanes_of(BULK_BYTES, BULK_BYTES, 100)
    assert numbers(lanes.take()) == [2]
    assert numbers(lanes.take()) == [0]
    assert numbers(lanes.take()) == [1]
    assert not lanes


def test_bulk_goes_by_the_full_measure_when_no_small_job_came_for_a_while() -> None:
    lanes = lanes_of(100, *[BULK_BYTES] * (SHORT_FOR + 1))
    assert numbers(lanes.take()) == [0]
    for number in range(1, SHORT_FOR):
        assert numbers(lanes.take()) == [number]
    assert numbers(lanes.take()) == [SHORT_FOR, SHORT_FOR + 1]


def test_bulk_goes_at_least_every_second_time() -> None:
    lanes = lanes_of(BULK_BYTES, BULK_BYTES, BULK_BYTES, 100)
    assert numbers(lanes.take()) == [3]
    lanes.add(Job(4, 100))
    assert numbers(lanes.take()) == [4, 0]
    lanes.add(Job(5, 100))
    assert numbers(lanes.take()) == [5]
    lanes.add(Job(6, 100))
    assert numbers(lanes.take()) == [6, 1]


def test_one_kind_alone_goes_as_much_as_fits() -> None:
    assert numbers(lanes_of(*[100] * 500).take()) == list(range(500))
    assert numbers(lanes_of(*[BULK_BYTES] * 5).take()) == [0, 1]
    assert numbers(lanes_of(BATCH_BYTES * 3, 2 * QUICK_BYTES).take()) == [0]
    assert lanes_of().take() == []


@given(st.lists(st.one_of(st.integers(0, QUICK_BYTES), st.integers(QUICK_BYTES + 1, 3 * BATCH_BYTES)), max_size=60))
def test_every_job_goes_once_in_the_order_of_its_lane(sizes: list[int]) -> None:
    lanes = lanes_of(*sizes)
    went: list[Job] = []
    while lanes:
        batch = lanes.take()
        assert batch
        assert sum(job.size_bytes for job in batch[:-1]) < BATCH_BYTES
        went += batch
    for quick in (True, False):
        lane = [job.number for job in went if (job.size_bytes <= QUICK_BYTES) is quick]
        assert lane == [number for number, size in enumerate(sizes) if (size <= QUICK_BYTES) is quick]
