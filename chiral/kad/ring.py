"""A node's own keys on the ring: when each is due and how many peers took it, in some twenty bytes a key. Pure.

Holds positions, not keys: those are kept where there is room. Positions lie in arcs of the ring, each with its earliest
due time, so that what is due is found without looking at every key.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from chiral.kad.schedule import POSITION_BITS

_ARC_BITS = 10
_ARC_SHIFT = POSITION_BITS - _ARC_BITS
NEVER = 0xFFFF
"""Instead of a count: has not been announced at all."""
_MOST = NEVER - 1


@dataclass(slots=True)
class _Arc:
    positions: array[int] = field(default_factory=lambda: array("Q"))
    due: array[float] = field(default_factory=lambda: array("d"))
    stored: array[int] = field(default_factory=lambda: array("H"))
    named: array[int] = field(default_factory=lambda: array("B"))
    earliest: float = math.inf
    fresh_earliest: float = math.inf

    def index(self, position: int) -> int | None:
        at = bisect_left(self.positions, position)
        return at if at < len(self.positions) and self.positions[at] == position else None

    def measure(self) -> None:
        self.earliest = min(self.due, default=math.inf)
        fresh = (due for due, stored in zip(self.due, self.stored, strict=True) if stored == NEVER)
        self.fresh_earliest = min(fresh, default=math.inf)


class Ring:
    """Positions with their state. Every time is in Unix seconds; infinite while a key is being announced."""

    def __init__(self) -> None:
        self._arcs = [_Arc() for _ in range(1 << _ARC_BITS)]
        self._size = 0
        self._untaken = 0
        self._generation = 0
        self._stale: set[int] = set()
        """Arcs whose earliest times are to be measured anew before anybody asks for them."""

    def __len__(self) -> int:
        return self._size

    def __contains__(self, position: int) -> bool:
        return self._arc(position).index(position) is not None

    @property
    def untaken(self) -> int:
        """How many keys no peer has taken yet."""
        return self._untaken

    def put(self, position: int, due: float, stored: int | None = None) -> None:
        """Add the key at `position`, or change it; its count stays as it is, or unannounced, if `stored` is None."""
        arc = self._arc(position)
        self._stale.add(position >> _ARC_SHIFT)
        at = arc.index(position)
        if at is None:
            count = NEVER if stored is None else min(stored, _MOST)
            at = bisect_left(arc.positions, position)
            arc.positions.insert(at, position)
            arc.due.insert(at, due)
            arc.stored.insert(at, count)
            arc.named.insert(at, self._generation)
            self._size += 1
            self._untaken += count in (0, NEVER)
            return
        if stored is not None:
            self._untaken += (not stored) - (arc.stored[at] in (0, NEVER))
            arc.stored[at] = min(stored, _MOST)
        arc.due[at] = due

    def discard(self, position: int) -> None:
        """Forget the key at `position`, if there is one."""
        arc = self._arc(position)
        at = arc.index(position)
        if at is None:
            return
        self._size -= 1
        self._untaken -= arc.stored[at] in (0, NEVER)
        for column in (arc.positions, arc.due, arc.stored, arc.named):
            column.pop(at)
        self._stale.add(position >> _ARC_SHIFT)

    def begin_naming(self) -> None:
        """From now on tell the keys that are added or named from those that are not."""
        self._generation = (self._generation + 1) % 256

    def name(self, position: int) -> bool:
        """Whether there is a key at `position`; it counts as named."""
        arc = self._arc(position)
        at = arc.index(position)
        if at is None:
            return False
        arc.named[at] = self._generation
        return True

    def unnamed(self) -> list[int]:
        """The keys neither added nor named since `begin_naming`."""
        return [
            position
            for arc in self._arcs
            for position, named in zip(arc.positions, arc.named, strict=True)
            if named != self._generation
        ]

    def take(self, now: float, limit: int) -> list[list[int]]:
        """About `limit` positions due by `now`, those of an arc together and ascending; they are not due meanwhile.

        Keys never announced come first, in the order of the ring; then the others, the arc with the longest due first.
        """
        self._measure()
        fresh = [number for number, arc in enumerate(self._arcs) if arc.fresh_earliest <= now]
        taken = self._take(fresh, now, limit, only_fresh=True)
        room = limit - sum(map(len, taken))
        if room > 0:
            late = [number for number, arc in enumerate(self._arcs) if arc.earliest <= now]
            late.sort(key=lambda number: self._arcs[number].earliest)
            taken += self._take(late, now, room, only_fresh=False)
        return taken

    def hasten(self, now: float, below: int) -> None:
        """Make due at once the keys that fewer than `below` peers have taken."""
        for number, arc in enumerate(self._arcs):
            for at, stored in enumerate(arc.stored):
                if (stored == NEVER or stored < below) and now < arc.due[at] < math.inf:
                    arc.due[at] = now
                    self._stale.add(number)

    def hasten_between(self, now: float, start: int, end: int) -> None:
        """Make due at once the keys at positions from `start` to before `end`."""
        for number in range(start >> _ARC_SHIFT, (end - 1 >> _ARC_SHIFT) + 1):
            arc = self._arcs[number]
            for at, position in enumerate(arc.positions):
                if start <= position < end and now < arc.due[at] < math.inf:
                    arc.due[at] = now
                    self._stale.add(number)

    def next_due(self) -> float:
        """When the next key is due; infinite if there is none."""
        self._measure()
        return min(arc.earliest for arc in self._arcs)

    def due(self, now: float) -> int:
        """How many keys are due by `now`."""
        self._measure()
        return sum(due <= now for arc in self._arcs if arc.earliest <= now for due in arc.due)

    def __iter__(self) -> Iterator[int]:
        """All positions, ascending."""
        return chain.from_iterable(arc.positions for arc in self._arcs)

    def _take(self, numbers: list[int], now: float, limit: int, *, only_fresh: bool) -> list[list[int]]:
        taken: list[list[int]] = []
        count = 0
        for number in numbers:
            if count >= limit:
                break
            arc = self._arcs[number]
            found = []
            for at, due in enumerate(arc.due):
                if due <= now and (not only_fresh or arc.stored[at] == NEVER):
                    found.append(arc.positions[at])
                    arc.due[at] = math.inf
            arc.measure()
            taken.append(found)
            count += len(found)
        return taken

    def _measure(self) -> None:
        for number in self._stale:
            self._arcs[number].measure()
        self._stale.clear()

    def _arc(self, position: int) -> _Arc:
        return self._arcs[position >> _ARC_SHIFT]
