"""How much may be under way at once: a bounded sum of weights with waiters served in their order."""

from __future__ import annotations

from collections import deque

import trio


class Budget:
    """At most `capacity` of weight and `entries` holders at once; a weight over the capacity is let in alone.

    For tasks of one trio run; `release` must be called in it too.
    """

    def __init__(self, capacity: int, entries: int) -> None:
        self._capacity = capacity
        self._entries = entries
        self._used = 0
        self._held = 0
        self._waiting: deque[tuple[int, trio.Event]] = deque()

    async def acquire(self, weight: int) -> None:
        """Wait until `weight` fits. Cancelled, it holds nothing."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self._waiting and self._fits(weight):
            self._take(weight)
            return
        place = (weight, trio.Event())
        self._waiting.append(place)
        try:
            await place[1].wait()
        except trio.Cancelled:
            if place[1].is_set():
                self.release(weight)
            else:
                self._waiting.remove(place)
                self._admit()
            raise

    def release(self, weight: int) -> None:
        """Give back what `acquire` took."""
        self._used -= min(weight, self._capacity)
        self._held -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            weight, ready = self._waiting.popleft()
            self._take(weight)
            ready.set()

    def _fits(self, weight: int) -> bool:
        return self._held < self._entries and self._used + min(weight, self._capacity) <= self._capacity

    def _take(self, weight: int) -> None:
        self._used += min(weight, self._capacity)
        self._held += 1
