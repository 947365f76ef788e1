"""How long lookups took lately, and the quantiles of it. Measures nothing itself."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

DEFAULT_SIZE = 1024


@dataclass(frozen=True, slots=True)
class LatencyQuantiles:
    """Of the last `count` lookups: the seconds within which half, 90 and 99 of 100 of them ended; None without any."""

    count: int
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None


class Latencies:
    """The durations of the last `size` lookups, in seconds."""

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        self._last: deque[float] = deque(maxlen=size)

    def add(self, duration_s: float) -> None:
        """A lookup took so long."""
        self._last.append(max(0.0, duration_s))

    def quantile(self, share: float) -> float | None:
        """The shortest time within which at least `share` (0 to 1) of them ended; None if there were none."""
        return _quantile(sorted(self._last), share)

    def quantiles(self) -> LatencyQuantiles:
        """The usual ones."""
        ordered = sorted(self._last)
        p50_s, p90_s, p99_s = (_quantile(ordered, share) for share in (0.5, 0.9, 0.99))
        return LatencyQuantiles(len(ordered), p50_s, p90_s, p99_s)


def _quantile(ordered: list[float], share: float) -> float | None:
    if not 0 <= share <= 1:
        raise ValueError(f"a quantile of {share}; it must be 0 to 1")
    if not ordered:
        return None
    # The nearest rank: always a time that was measured.
    rank = -int(-share * len(ordered) // 1)
    return ordered[max(0, rank - 1)]
