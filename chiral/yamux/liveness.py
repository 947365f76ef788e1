"""Whether the peer is alive, and how far away: pings, their answers, and silence."""

from __future__ import annotations

from chiral.yamux.frame import MAX_UINT32

RTT_WEIGHT = 0.25
"""How much a new measurement counts against those before it."""


class Liveness:
    """Pings every `interval_s`; the peer is gone when a ping is unanswered and nothing came for `timeout_s`.

    On an idle connection it pings after `quiet_s` in which nothing came: where both sides wait differently long, the
    ping of one is the sign of life that spares the other its own.
    """

    __slots__ = ("_heard", "_interval_s", "_next_ping", "_quiet_s", "_timeout_s", "_value", "_waiting_since", "rtt_s")

    def __init__(self, interval_s: float, timeout_s: float, now: float, *, quiet_s: float = 0.0) -> None:
        self._interval_s = interval_s
        self._quiet_s = quiet_s
        self._timeout_s = timeout_s
        self._value = 0
        self._waiting_since: float | None = None
        self._next_ping = now
        self._heard = now
        self.rtt_s: float | None = None

    def heard(self, now: float) -> None:
        """Bytes came from the peer."""
        self._heard = now

    def is_gone(self, now: float) -> bool:
        """Whether the peer has been silent for too long."""
        waiting = self._waiting_since
        return waiting is not None and now - max(waiting, self._heard) >= self._timeout_s

    def ping(self, now: float, *, idle: bool = False) -> int | None:
        """The value of the ping to send now, or None if none is due; one at a time is on its way.

        The first is always sent: it measures the round trip, which windows grow by.
        """
        if self._waiting_since is not None or now < self._next_ping:
            return None
        if idle and self._value and now < self._heard + self._quiet_s:
            self._next_ping = self._heard + self._quiet_s
            return None
        self._value = self._value % MAX_UINT32 + 1
        self._waiting_since = now
        self._next_ping = now + self._interval_s
        return self._value

    def answered(self, value: int, now: float) -> float | None:
        """The answer to ping `value` came: the round trip in seconds, or None if that was not asked."""
        if self._waiting_since is None or value != self._value:
            return None
        sample = now - self._waiting_since
        self._waiting_since = None
        self.rtt_s = sample if self.rtt_s is None else self.rtt_s + RTT_WEIGHT * (sample - self.rtt_s)
        return sample

    def deadline(self, now: float) -> float:
        """When to look again."""
        if self._waiting_since is None:
            return self._next_ping
        gone = max(self._waiting_since, self._heard) + self._timeout_s
        return min(gone, self._next_ping) if self._next_ping > now else gone
