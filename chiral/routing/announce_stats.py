"""What announcing says of itself: the snapshot, and the judgement whether it keeps up."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnnounceStats:
    """A snapshot of this node's own announcing.

    `keys` are kept announced, `pending` of them have not been taken by any peer, `due` wait for their turn now, the
    longest for `behind_s` seconds. The last sweep of due keys began at `last_sweep_at` (Unix seconds, None before the
    first), took `last_sweep_s` seconds and went at `keys_per_s`. `announced` counts announcements of keys since the
    start. `keeping_up` is false while the oldest due key waits so long that records may run out.
    """

    keys: int = 0
    pending: int = 0
    due: int = 0
    behind_s: float = 0.0
    announced: int = 0
    keys_per_s: float = 0.0
    last_sweep_at: float | None = None
    last_sweep_s: float | None = None
    sweeping: bool = False
    keeping_up: bool = True


class Lag:
    """Whether announcing keeps up: no longer once a key waits a sixth of the interval, again below a 24th."""

    def __init__(self, interval_s: float) -> None:
        self._behind_s = interval_s / 6
        self._caught_up_s = interval_s / 24
        self._quiet_s = interval_s / 12
        self._told_at = -math.inf
        self.keeping_up = True

    def update(self, behind_s: float, now: float) -> bool:
        """Take how long the longest due key waits; true where that is worth a word in the log.

        That is when the state changes, but for changes sooner than a 12th of the interval after the last word.
        """
        was = self.keeping_up
        self.keeping_up = behind_s < (self._behind_s if was else self._caught_up_s)
        if self.keeping_up == was or now < self._told_at + self._quiet_s:
            return False
        self._told_at = now
        return True
