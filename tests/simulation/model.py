"""An independent model of Kademlia for comparison: whole-network knowledge, no time, no loss, nothing of Chiral's.

Points are random numbers. Each node knows k random others of every distance range [2^i, 2^(i+1)) around it, all of
those where there are fewer. A lookup goes in rounds: ask the alpha nearest not yet asked among the k nearest heard of,
each of which names the k nearest it knows; it ends when the k nearest have all been asked.
"""

from __future__ import annotations

import random
from bisect import bisect_left

BITS = 64


class Model:
    """A network of `size` points, and lookups in it."""

    def __init__(self, size: int, seed: int, *, k: int = 20, alpha: int = 10) -> None:
        self._rng = random.Random(f"model/{seed}/{size}")
        self._points = sorted({self._rng.getrandbits(BITS) for _ in range(size)})
        self._k = k
        self._alpha = alpha
        self._contacts: dict[int, list[int]] = {}

    def mean_hops(self, lookups: int) -> float:
        """The mean of `hops` from random nodes to random targets."""
        total = sum(self.hops(self._rng.choice(self._points), self._rng.getrandbits(BITS)) for _ in range(lookups))
        return total / lookups

    def hops(self, start: int, target: int) -> int:
        """The length of the chain by which the nearest to `target` is first heard of; contacts of `start` are at 1."""
        depth = dict.fromkeys(self._near(start, target, 4 * self._k), 1)
        asked: set[int] = set()
        while True:
            nearest = sorted(depth, key=lambda point: point ^ target)[: self._k]
            round_ = [point for point in nearest if point not in asked][: self._alpha]
            if not round_:
                return depth[nearest[0]]
            asked.update(round_)
            for point in round_:
                for named in self._near(point, target, self._k):
                    if named != start:
                        depth.setdefault(named, depth[point] + 1)

    def _near(self, point: int, target: int, count: int) -> list[int]:
        return sorted(self._contacts_of(point), key=lambda other: other ^ target)[:count]

    def _contacts_of(self, point: int) -> list[int]:
        if point not in self._contacts:
            found: list[int] = []
            for power in range(BITS):
                # The range [2^power, 2^(power+1)) of distances is the block of points that differ first in that bit.
                low = (point ^ (1 << power)) >> power << power
                first, last = bisect_left(self._points, low), bisect_left(self._points, low + (1 << power))
                there = range(first, last)
                found += (self._points[at] for at in self._rng.sample(there, min(self._k, len(there))))
            self._contacts[point] = found
        return self._contacts[point]
