"""A token bucket: so much at once, so much a second. Says how long to wait; waits for nothing and knows no clock.

Amounts are whatever the caller counts: messages, records or bytes. `now` is in seconds of any clock that does not go
back. Source: the classic token bucket, with debt: what is larger than the bucket leaves when the bucket is full, and
what follows waits for it.
"""

from __future__ import annotations

from math import inf


class TokenBucket:
    """Holds up to `burst` tokens, gains `rate` of them a second, and is full at first."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, *, rate: float, burst: float, now: float) -> None:
        """Raises `ValueError` unless `rate` and `burst` are positive and finite."""
        self._rate = _positive(rate, "rate")
        self._burst = _positive(burst, "burst")
        self._tokens = burst
        self._at = now

    def take(self, amount: float, now: float) -> bool:
        """Take `amount` if it is to be had now; more than the burst is had from a full bucket, which then owes it."""
        if self.wait_s(amount, now) > 0:
            return False
        self._tokens -= amount
        return True

    def wait_s(self, amount: float, now: float) -> float:
        """The seconds until `take` would give `amount`, if nobody else takes any; 0 if it would now."""
        self._fill(now)
        return max(0.0, (min(amount, self._burst) - self._tokens) / self._rate)

    def reserve(self, amount: float, now: float) -> float:
        """Take `amount` at once, on credit if need be; returns the seconds after which it may be used.

        Who asks first waits least, and no two wake for the same tokens.
        """
        wait_s = self.wait_s(amount, now)
        self._tokens -= amount
        return wait_s

    def give_back(self, amount: float, now: float) -> None:
        """What was reserved is not wanted after all."""
        self._fill(now)
        self._tokens = min(self._burst, self._tokens + amount)

    def set_rate(self, rate: float, now: float, *, burst: float | None = None) -> None:
        """From now on `rate` a second, and `burst` at most; raises `ValueError` as at first."""
        self._fill(now)
        self._rate = _positive(rate, "rate")
        self._burst = _positive(self._burst if burst is None else burst, "burst")
        self._tokens = min(self._burst, self._tokens)

    def _fill(self, now: float) -> None:
        gained = max(0.0, now - self._at) * self._rate
        self._tokens = min(self._burst, self._tokens + gained)
        self._at = max(self._at, now)


def _positive(value: float, name: str) -> float:
    if not 0 < value < inf:
        raise ValueError(f"the {name} of a token bucket is {value}; it must be positive and finite")
    return value
