"""Turns: evenly spread, and never too far apart."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chiral.kad.key import KadKey
from chiral.kad.schedule import POSITION_BITS, Schedule

HOUR_S = 3600.0
POSITIONS = st.integers(0, (1 << POSITION_BITS) - 1)


@given(POSITIONS, POSITIONS, st.floats(0, 4e9))
def test_no_key_waits_longer_than_the_interval_and_a_slot(local: int, position: int, announced_at: float) -> None:
    schedule = Schedule(12 * HOUR_S, local)
    wait_s = schedule.next_turn(position, announced_at) - announced_at
    assert schedule.slot_s - 0.01 <= wait_s <= schedule.interval_s + schedule.slot_s + 0.01


@given(POSITIONS, st.floats(1e9, 4e9), st.floats(0, 1))
def test_turns_of_a_key_are_an_interval_apart_however_late_it_was_announced(
    position: int, announced_at: float, late: float
) -> None:
    schedule = Schedule(12 * HOUR_S, 7)
    turn = schedule.next_turn(position, announced_at)
    following = schedule.next_turn(position, turn + late * (schedule.interval_s - 2 * schedule.slot_s))
    assert abs(following - turn - schedule.interval_s) < 0.01


def test_keys_announced_at_once_have_their_turns_evenly_afterwards() -> None:
    schedule = Schedule(12 * HOUR_S, 1 << 62)
    positions = [KadKey.of(b"%d" % number).value >> 192 for number in range(32_000)]
    turns = Counter(schedule.next_turn(position, 1.7e9) for position in positions)
    assert len(turns) == 32
    assert max(turns.values()) < 1.2 * min(turns.values())
    times = sorted(turns)
    assert all(abs(later - earlier - schedule.slot_s) < 0.01 for earlier, later in pairwise(times))


def test_nodes_have_the_same_keys_turn_at_different_times() -> None:
    turns = {Schedule(100.0, node << 60).next_turn(5, 0.0) for node in range(16)}
    assert len(turns) == 16
