"""Virtual time: a heap of what is to happen, taken in order. Knows no clock, no network and no randomness."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Action = Callable[[], None]


class Engine:
    """Runs actions at their times. What falls on the same instant runs in the order in which it was asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        """Virtual seconds since the beginning."""
        self._queue: list[tuple[float, int, Action]] = []
        self._number = count()

    def __len__(self) -> int:
        return len(self._queue)

    def at(self, when: float, action: Action) -> None:
        """Do `action` at `when`; at once, but after what is waiting, if that has passed."""
        heappush(self._queue, (max(when, self.now), next(self._number), action))

    def after(self, delay_s: float, action: Action) -> None:
        """Do `action` in `delay_s` seconds."""
        self.at(self.now + delay_s, action)

    def run(self, until: float = float("inf")) -> None:
        """Do all that is due up to `until`, which is then the time; without a limit, until nothing waits."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            self.now, _, action = heappop(queue)
            action()
        if until != float("inf"):
            self.now = max(self.now, until)
