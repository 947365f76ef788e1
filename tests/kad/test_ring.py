"""The own keys on the ring, held against a plain dictionary."""

from __future__ import annotations

import math
import sys

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chiral.kad.key import KadKey
from chiral.kad.ring import Ring
from chiral.kad.schedule import POSITION_BITS

POSITIONS = st.integers(0, 40).map(lambda number: KadKey.of(b"%d" % number).value >> 192)
TIMES = st.integers(0, 50).map(float)


class RingAgainstDictionary(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ring = Ring()
        self.model: dict[int, tuple[float, int | None]] = {}
        self.named: set[int] = set()

    @rule(position=POSITIONS, due=TIMES, stored=st.none() | st.integers(0, 70_000))
    def put(self, position: int, due: float, stored: int | None) -> None:
        self.ring.put(position, due, stored)
        known = self.model.get(position, (0.0, None))[1]
        if position not in self.model:
            self.named.add(position)
        self.model[position] = (due, known if stored is None else stored)

    @rule()
    def begin_naming(self) -> None:
        self.ring.begin_naming()
        self.named = set()

    @rule(position=POSITIONS)
    def name(self, position: int) -> None:
        assert self.ring.name(position) == (position in self.model)
        if position in self.model:
            self.named.add(position)

    @rule(position=POSITIONS)
    def discard(self, position: int) -> None:
        self.ring.discard(position)
        self.model.pop(position, None)
        self.named.discard(position)

    @rule(now=TIMES, limit=st.integers(1, 10))
    def take(self, now: float, limit: int) -> None:
        taken = [position for run in self.ring.take(now, limit) for position in run]
        due = [position for position, (at, _) in self.model.items() if at <= now]
        assert len(taken) == len(set(taken))
        assert set(taken) <= set(due)
        assert len(taken) >= min(limit, len(due))
        fresh = [position for position in due if self.model[position][1] is None]
        assert len(taken) < limit or not fresh or self.model[taken[0]][1] is None
        if len(fresh) >= limit:
            assert all(self.model[position][1] is None for position in taken)
            assert taken == sorted(taken)
        for position in taken:
            self.model[position] = (math.inf, self.model[position][1])

    @rule(now=TIMES, below=st.integers(0, 30))
    def hasten(self, now: float, below: int) -> None:
        self.ring.hasten(now, below)
        for position, (due, stored) in self.model.items():
            if (stored or 0) < max(below, stored is None) and now < due < math.inf:
                self.model[position] = (now, stored)

    @rule(now=TIMES, start=POSITIONS, bits=st.integers(0, 8))
    def hasten_between(self, now: float, start: int, bits: int) -> None:
        size = 1 << (POSITION_BITS - bits)
        start -= start % size
        self.ring.hasten_between(now, start, start + size)
        for position, (due, stored) in self.model.items():
            if start <= position < start + size and now < due < math.inf:
                self.model[position] = (now, stored)

    @invariant()
    def same(self) -> None:
        assert self.ring.unnamed() == sorted(set(self.model) - self.named)
        assert list(self.ring) == sorted(self.model)
        assert len(self.ring) == len(self.model)
        assert self.ring.untaken == sum(not stored for _, stored in self.model.values())
        assert self.ring.next_due() == min((due for due, _ in self.model.values()), default=math.inf)
        assert self.ring.due(25.0) == sum(due <= 25.0 for due, _ in self.model.values())
        assert all(position in self.ring for position in self.model)


TestRing = RingAgainstDictionary.TestCase
TestRing.settings = settings(max_examples=40, stateful_step_count=30)


def test_a_key_costs_some_twenty_bytes() -> None:
    ring = Ring()
    for number in range(50_000):
        ring.put(KadKey.of(b"%d" % number).value >> 192, 1.0)
    arrays = [column for arc in ring._arcs for column in (arc.positions, arc.due, arc.stored, arc.named)]
    assert sum(map(sys.getsizeof, arrays)) / 50_000 < 30
