"""One k-bucket: up to k peers in least-recently-seen order, with a queue of replacements. Knows no other bucket.

Source: Maymounkov and Mazières, "Kademlia" (2002), sections 2.2 and 4.1.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from chiral.interface.peer import PeerId
from chiral.kad.diversity import NO_GROUPS, Group
from chiral.kad.key import KadKey


@dataclass(frozen=True, slots=True)
class Entry:
    """A peer of a bucket; `added_at` and `seen_at` are seconds of the caller's clock, `groups` its networks."""

    peer: PeerId
    key: KadKey
    added_at: float
    seen_at: float
    groups: frozenset[Group] = NO_GROUPS


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
    """The peer is not in this table and does not wait for a place either; `reason` says why."""

    peer: PeerId
    reason: str


Outcome = Admit | PingFirst | Full | Refused


class Bucket:
    """Up to `size` peers of one distance range, and `spares` that wait for a place, `per_group` of them of one group.

    The first of `entries` is the one seen longest ago.
    """

    def __init__(self, size: int, spares: int, *, per_group: int | None = None) -> None:
        self._size = size
        self._max_spares = spares
        self._per_group = spares if per_group is None else per_group
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

    def entry(self, peer: PeerId) -> Entry | None:
        """The live entry of `peer`."""
        return self._live.get(peer)

    def seen(
        self, peer: PeerId, key: KadKey, now: float, *, trust_s: float, groups: frozenset[Group] = NO_GROUPS
    ) -> Admit | PingFirst | Full:
        """`peer`, now of `groups`, was heard from.

        A peer seen within `trust_s` seconds is believed alive without being asked.
        """
        known = self._live.get(peer)
        if known is not None:
            self._live[peer] = replace(known, seen_at=now, groups=groups)
            self._live.move_to_end(peer)
            self._end_ping(peer)
            return Admit(peer, new=False)
        if len(self._live) < self._size:
            self._spare.pop(peer, None)
            self._live[peer] = Entry(peer, key, now, now, groups)
            return Admit(peer, new=True)
        self._keep_spare(Entry(peer, key, now, now, groups))
        oldest = next(iter(self._live.values()))
        # A ping that nobody reported back on does not keep the bucket closed for ever.
        pinging = self._ping is not None and now - self._ping[1] < trust_s
        if pinging or now - oldest.seen_at < trust_s:
            return Full(peer)
        self._ping = (oldest.peer, now)
        return PingFirst(oldest.peer, peer)

    def drop(self, peer: PeerId) -> Entry | None:
        """Take out `peer`, be it live or a spare; returns its entry if it was live."""
        self._end_ping(peer)
        self._spare.pop(peer, None)
        return self._live.pop(peer, None)

    def promote(self, now: float, fits: Callable[[Entry], bool]) -> Entry | None:
        """Fill a free place with the spare seen last of those that fit; returns its entry, if there is one."""
        if len(self._live) >= self._size:
            return None
        for entry in reversed(self._spare.values()):
            if fits(entry):
                break
        else:
            return None
        del self._spare[entry.peer]
        # Its own `seen_at` stays, so that it takes the place in the order that its last sign of life deserves.
        self._live[entry.peer] = replace(entry, added_at=now)
        self._live = OrderedDict(sorted(self._live.items(), key=lambda item: item[1].seen_at))
        return entry

    def _keep_spare(self, entry: Entry) -> None:
        self._spare.pop(entry.peer, None)
        for group in entry.groups:
            # More could never move up together, and would only crowd out the others.
            alike = [peer for peer, spare in self._spare.items() if group in spare.groups]
            if len(alike) >= self._per_group:
                del self._spare[alike[0]]
        self._spare[entry.peer] = entry
        while len(self._spare) > self._max_spares:
            self._spare.popitem(last=False)

    def _end_ping(self, peer: PeerId) -> None:
        if self._ping is not None and self._ping[0] == peer:
            self._ping = None
