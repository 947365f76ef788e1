"""The one door to the time: everything that asks what time it is asks a `Clock`.

Deadlines and durations come from trio's clock, so that a test on `trio.testing.MockClock` moves both hands together.
"""

from __future__ import annotations

import time
from typing import Protocol

import trio


class Clock(Protocol):
    """What rooms may know of time."""

    def wall(self) -> float:
        """Seconds since the Unix epoch: for records that outlive the process or travel to other machines."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back: for deadlines, ages and rates within this process."""
        ...


class SystemClock:
    """The machine's clock; its monotonic hand is trio's, so it must be read inside `trio.run`."""

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return trio.current_time()


class TrioClock:
    """Both hands from trio's clock: under `MockClock` the wall moves with virtual time from `epoch_s`."""

    def __init__(self, epoch_s: float = 1_700_000_000.0) -> None:
        self._epoch_s = epoch_s

    def wall(self) -> float:
        return self._epoch_s + trio.current_time()

    def monotonic(self) -> float:
        return trio.current_time()
