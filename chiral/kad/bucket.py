"""One k-bucket: up to k peers in least-recently-seen order, with a queue of replacements. Knows no other bucket.

Source: Maymounkov and Mazières, "Kademlia" (2002), sections 2.2 and 4.1.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from chiral.interface.peer import PeerId
from chiral.kad.key import KadKey


@dataclass(frozen=True, slots=True)
class Entry:
    """A peer of a bucket; `added_at` and `seen_at` are seconds of the caller's clock."""

    peer: PeerId
    key: KadKey
    added_at: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class Admit:
    """The peer is in the bucket; `new` says whether it was not there before."""

    peer: PeerId
    new: bool


@dataclass(frozen=True, slots=True)
class PingFirst:
    """The bucket is full: ask `oldest` whether it lives, then tell the table; `candidate` waits among the spares."""

    oldest: PeerId
    candidate: PeerId


@dataclass(frozen=True, slots=True)
class Full:
    """The bucket is full of peers known to live; `candidate` waits among the spares."""

    candidate: PeerId


@dataclass(frozen=True, slots=True)
class Refused:
    """The peer can never be in this table: it is the local peer."""

    peer: PeerId


Outcome = Admit | PingFirst | Full | Refused


class Bucket:
    """Peers of one distance range. The first of `peers` is the one seen longest ago."""

    def __init__(self, size: int, spares: int) -> None:
        self._size = size
        self._max_spares = spares
        self._live: OrderedDict[PeerId, Entry] = OrderedDict()
        self._spare: OrderedDict[PeerId, Entry] = OrderedDict()
        self._ping: tuple[PeerId, float] | None = None

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._live

    @property
    def entries(self) -> list[Entry]:
        """The live peers, least recently seen first."""
        return list(self._live.values())

    @property
    def spares(self) -> list[PeerId]:
        """The replacements, least recently seen first."""
        return list(self._spare)

    def seen(self, peer: PeerId, key: KadKey, now: float, *, trust_s: float) -> Admit | PingFirst | Full:
        """`peer` was heard from. A peer seen within `trust_s` seconds is believed alive without being asked."""
        known = self._live.get(peer)
        if known is not None:
            self._live[peer] = replace(known, seen_at=now)
            self._live.move_to_end(peer)
            self._end_ping(peer)
            return Admit(peer, new=False)
        if len(self._live) < self._size:
            self._spare.pop(peer, None)
            self._live[peer] = Entry(peer, key, now, now)
            return Admit(peer, new=True)
        self._keep_spare(Entry(peer, key, now, now))
        oldest = next(iter(self._live.values()))
        # A ping that nobody reported back on does not keep the bucket closed for ever.
        pinging = self._ping is not None and now - self._ping[1] < trust_s
        if pinging or now - oldest.seen_at < trust_s:
            return Full(peer)
        self._ping = (oldest.peer, now)
        return PingFirst(oldest.peer, peer)

    def drop(self, peer: PeerId, now: float) -> PeerId | None:
        """Take out `peer`; the spare seen last moves up in its place and is returned."""
        self._end_ping(peer)
        self._spare.pop(peer, None)
        if self._live.pop(peer, None) is None or not self._spare:
            return None
        promoted, entry = self._spare.popitem(last=True)
        # Its own `seen_at` stays, so that it takes the place in the order that its last sign of life deserves.
        self._live[promoted] = replace(entry, added_at=now)
        self._live = OrderedDict(sorted(self._live.items(), key=lambda item: item[1].seen_at))
        return promoted

    def _keep_spare(self, entry: Entry) -> None:
        self._spare[entry.peer] = entry
        self._spare.move_to_end(entry.peer)
        while len(self._spare) > self._max_spares:
            self._spare.popitem(last=False)

    def _end_ping(self, peer: PeerId) -> None:
        if self._ping is not None and self._ping[0] == peer:
            self._ping = None
