"""How much each peer may ask of this node's DHT in a time: a peer over its rate waits, and is cut only if it persists.

Waiting is all that happens to its messages: none is taken and dropped. Reads nothing and answers nothing.
"""

from __future__ import annotations

import trio

from chiral.clock import Clock
from chiral.interface.peer import PeerId
from chiral.limiter.keyed_buckets import KeyedBuckets
from chiral.routing.refusals import Refusal, RefusalCounter, RefusedError
from chiral.routing.settings import InboundLimits

_MAX_PEERS = 4096
_NAP_S = 0.02
"""Waits shorter than this are let pass: a wake-up for each message would cost more than it saves."""


class Allowance:
    """The rates of all peers: of provider records, which are cheap, and of all other requests."""

    def __init__(self, limits: InboundLimits, clock: Clock, refusals: RefusalCounter) -> None:
        peers = max(_MAX_PEERS, 2 * limits.streams)
        self._records: KeyedBuckets[PeerId] = KeyedBuckets(
            rate=limits.records_per_s, burst=limits.records_burst, limit=peers
        )
        self._requests: KeyedBuckets[PeerId] = KeyedBuckets(
            rate=limits.requests_per_s, burst=limits.requests_burst, limit=peers
        )
        self._over_rate_s = limits.over_rate_s
        self._clock = clock
        self._refusals = refusals

    def of_stream(self, peer: PeerId) -> StreamAllowance:
        """The allowance of one stream of `peer`, which it shares with its others."""
        return StreamAllowance(self, peer)

    async def wait(self, peer: PeerId, *, record: bool) -> bool:
        """Wait until `peer` may have another message answered; whether it had to. Raises `RefusedError` if too long."""
        now = self._clock.monotonic()
        bucket = (self._records if record else self._requests).of(peer, now)
        wait_s = bucket.reserve(1, now)
        if wait_s > self._over_rate_s:
            bucket.give_back(1, now)
            raise self.refusal(peer)
        if wait_s > _NAP_S:
            self._refusals.slowed += 1
            await trio.sleep(wait_s)
        return wait_s > 0

    def over_for_too_long(self, since: float) -> bool:
        """Whether a stream that has been over the rate since then is to be cut."""
        return self._clock.monotonic() - since > self._over_rate_s

    def now(self) -> float:
        """The time by which streams say since when they have been over."""
        return self._clock.monotonic()

    def refusal(self, peer: PeerId) -> RefusedError:
        """What is raised for a peer that stays over its rate."""
        return RefusedError(
            Refusal.RATE, f"{peer.short} has been over its rate of DHT messages for {self._over_rate_s:g} s"
        )


class StreamAllowance:
    """Of one stream: since when it has had to wait without a pause."""

    def __init__(self, allowance: Allowance, peer: PeerId) -> None:
        self._allowance = allowance
        self._peer = peer
        self._over_since: float | None = None

    async def wait(self, *, record: bool) -> None:
        """Wait until the next message may be answered; raises `RefusedError` if the stream stays over for too long."""
        if not await self._allowance.wait(self._peer, record=record):
            self._over_since = None
        elif self._over_since is None:
            self._over_since = self._allowance.now()
        elif self._allowance.over_for_too_long(self._over_since):
            raise self._allowance.refusal(self._peer)
