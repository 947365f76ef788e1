"""A bound on how often something may happen: a burst at once, and a rate in the long run."""

from __future__ import annotations

from chiral.yamux.frame import YamuxError


class Allowance:
    """Counts what a peer may do too often. `what` names it in the error."""

    __slots__ = ("_burst", "_left", "_rate", "_since", "_what")

    def __init__(self, what: str, burst: int, rate_per_s: float, now: float) -> None:
        self._what = what
        self._burst = float(burst)
        self._rate = rate_per_s
        self._left = float(burst)
        self._since = now

    def spend(self, now: float) -> None:
        """Count one. Raises `YamuxError` when the burst is used up and the rate has not refilled it."""
        if self._left < 1:
            self._left = min(self._burst, self._left + (now - self._since) * self._rate)
            self._since = now
            if self._left < 1:
                raise YamuxError(f"the peer sent too many {self._what}")
        elif self._left >= self._burst:
            self._since = now
        self._left -= 1
