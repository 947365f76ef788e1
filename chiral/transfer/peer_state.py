"""How one peer fares in a session: its window of requests in flight, its rests and the trust in it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from chiral.transfer.settings import TransferSettings

FIRST_WINDOW = 8
_GROWTH_WORTH = 1.05
_LONGEST_REST_S = 30.0
_LACKS_BEFORE_DOUBT = 2


@dataclass(slots=True, eq=False)
class PeerState:
    """One peer in a session; times in seconds of the session's clock."""

    settings: TransferSettings
    window: int
    round_started: float
    doubted_until: float = 0.0
    """Until then it is asked only for what nobody else may bring."""
    in_flight: dict[int, float] = field(default_factory=dict)
    """Blocks asked for and when, the oldest first."""
    lacks: set[int] = field(default_factory=set)
    lacked_in_row: int = 0
    failures: int = 0
    resume_at: float = 0.0
    served_bytes: int = 0
    round_bytes: int = 0
    round_left: int = 0
    best_rate: float = 0.0
    gone: bool = False
    lied: bool = False

    @classmethod
    def new(cls, now: float, settings: TransferSettings, *, claims: bool) -> PeerState:
        """A peer that joins now; one that `claims` to hold the content is trusted from the start."""
        window = min(FIRST_WINDOW, settings.max_in_flight)
        return cls(settings, window, now, doubted_until=0.0 if claims else math.inf)

    @property
    def has_room(self) -> bool:
        return len(self.in_flight) < self.window

    @property
    def load(self) -> float:
        """How full the window is, from 0 to 1."""
        return len(self.in_flight) / self.window

    @property
    def owing_since(self) -> float:
        """When the oldest request in flight was sent; infinite if there is none."""
        return next(iter(self.in_flight.values()), math.inf)

    def ready(self, now: float) -> bool:
        """Whether it may be asked for something now."""
        return not self.gone and self.resume_at <= now and self.has_room

    def trusted(self, now: float) -> bool:
        """Whether it likely holds what is wanted."""
        return self.doubted_until <= now

    def vouched_for(self) -> bool:
        """A search names it as a holder; whether that raises the trust in it.

        What it lacked before it may hold by now, so that is asked of it again; searches are few, so it cannot go on.
        """
        if self.gone or not (self.lacks or self.doubted_until):
            return False
        self.lacks.clear()
        self.lacked_in_row = 0
        self.doubted_until = 0.0
        return True

    def brought(self, size: int, now: float) -> None:
        """It answered with `size` bytes. After each window's worth the window widens if the rate rose with it."""
        self.failures = self.lacked_in_row = 0
        self.doubted_until = 0.0
        self.round_bytes += size
        self.round_left -= 1
        if self.round_left > 0:
            return
        elapsed = now - self.round_started
        rate = self.round_bytes / elapsed if elapsed > 0 else 0.0
        if rate >= self.best_rate * _GROWTH_WORTH or not self.best_rate:
            self.best_rate = rate
            self.window = min(self.settings.max_in_flight, self.window * 2)
        elif rate < self.best_rate / 2:
            self.best_rate = rate  # the path changed: learn its rate anew from here
        self.round_started, self.round_bytes, self.round_left = now, 0, self.window

    def lacked(self, index: int, now: float) -> None:
        """It does not hold `index`. One that lacks block after block is doubted, each time for longer."""
        self.lacks.add(index)
        self.failures = 0
        if not self.trusted(now):
            return
        self.lacked_in_row += 1
        if self.lacked_in_row >= _LACKS_BEFORE_DOUBT:
            self.doubted_until = now + self._rest(self.lacked_in_row - _LACKS_BEFORE_DOUBT)

    def faulted(self, now: float) -> None:
        """A request of it failed: it rests, each time for longer, and is given up at last."""
        if self.resume_at > now:  # requests that fail together count as one failure
            return
        self.window = max(1, self.window // 2)
        self.resume_at = now + self._rest(self.failures)
        self.failures += 1
        self.gone = self.failures >= self.settings.max_failures

    def _rest(self, times_before: int) -> float:
        return min(self.settings.retry_s * 2.0 ** min(times_before, 16), _LONGEST_REST_S)
