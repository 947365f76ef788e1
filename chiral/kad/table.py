"""The routing table: 256 k-buckets by the length of the prefix shared with the local peer. Decides; sends nothing.

Source: Maymounkov and Mazières, "Kademlia" (2002), section 2; libp2p kad-dht specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest

from chiral.interface.peer import PeerId
from chiral.kad.bucket import Admit, Bucket, Entry, Outcome, Refused
from chiral.kad.diversity import NO_GROUPS, DiversityLimits, Group, GroupCount
from chiral.kad.key import KEY_BITS, KadKey

DEFAULT_K = 20
DEFAULT_TRUST_S = 600.0
"""A ping makes a newcomer of the one who pings: with trust for only a minute, full tables would ping in chains."""


class RoutingTable:
    """Live peers around `local`, at most `k` a bucket, with up to `k` replacements each.

    Every `now` is in seconds of one clock of the caller's choice. A peer seen within `trust_s` is not pinged to make
    room for another. No more peers of one group are taken than `diversity` allows, those of no group without limit.
    """

    def __init__(
        self,
        local: PeerId,
        *,
        k: int = DEFAULT_K,
        trust_s: float = DEFAULT_TRUST_S,
        diversity: DiversityLimits | None = None,
    ) -> None:
        self._local = local
        self._local_key = KadKey.of(local.raw)
        self._k = k
        self._trust_s = trust_s
        self._buckets: dict[int, Bucket] = {}
        self._touched: dict[int, float] = {}
        self._groups = GroupCount(diversity or DiversityLimits())

    @property
    def local(self) -> PeerId:
        return self._local

    @property
    def local_key(self) -> KadKey:
        return self._local_key

    @property
    def k(self) -> int:
        return self._k

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets.values())

    def __contains__(self, peer: PeerId) -> bool:
        return self.entry(peer) is not None

    def __iter__(self) -> Iterator[Entry]:
        """The live entries, farthest bucket first, least recently seen first within a bucket."""
        for index in sorted(self._buckets):
            yield from self._buckets[index].entries

    def entry(self, peer: PeerId) -> Entry | None:
        """The live entry of `peer`."""
        bucket = self._buckets.get(self.bucket_index(KadKey.of(peer.raw)))
        return bucket.entry(peer) if bucket is not None else None

    def bucket_index(self, key: KadKey) -> int:
        """The bucket of `key`: how many leading bits it shares with the local peer, at most 255."""
        return min(self._local_key.common_prefix_length(key), KEY_BITS - 1)

    def counts(self) -> tuple[int, ...]:
        """How many live peers each of the 256 buckets holds, the farthest bucket first."""
        held = {index: len(bucket) for index, bucket in self._buckets.items()}
        return tuple(held.get(index, 0) for index in range(KEY_BITS))

    def seen(self, peer: PeerId, now: float, groups: frozenset[Group] | None = None) -> Outcome:
        """`peer` gave a sign of life as a server of this DHT; says what becomes of it.

        `groups` are the networks it is in now; None leaves them as they were known, which of a newcomer is none. A peer
        of the table that has moved to where there are enough already is refused as a newcomer would be, and leaves.
        """
        if peer == self._local:
            return Refused(peer, "it is the local peer")
        key = KadKey.of(peer.raw)
        index = self.bucket_index(key)
        bucket = self._buckets.get(index)
        known = bucket.entry(peer) if bucket is not None else None
        held = known.groups if known is not None else NO_GROUPS
        groups = held if groups is None else groups
        reason = self._recount(index, held, groups)
        if reason is not None:
            self.drop(peer, now)
            return Refused(peer, reason)
        if bucket is None:
            bucket = self._buckets[index] = Bucket(self._k, self._k, per_group=self._groups.limits.per_bucket)
            self._touched.setdefault(index, now)
        outcome = bucket.seen(peer, key, now, trust_s=self._trust_s, groups=groups)
        if not isinstance(outcome, Admit):
            self._groups.remove(index, groups)  # it waits among the spares, which count for nothing
        return outcome

    def _recount(self, index: int, held: frozenset[Group], groups: frozenset[Group]) -> str | None:
        """Count a peer of bucket `index` under `groups`, not `held`; or change nothing and say what forbids it."""
        if held == groups:
            return None
        self._groups.remove(index, held)
        reason = self._groups.over(index, groups)
        self._groups.add(index, held if reason is not None else groups)
        return reason

    def drop(self, peer: PeerId, now: float) -> PeerId | None:
        """Take out `peer`, which is dead or no longer serves, also from the spares.

        Returns the spare that moved up into its place, if any: the one seen last of those that diversity allows.
        """
        index = self.bucket_index(KadKey.of(peer.raw))
        bucket = self._buckets.get(index)
        if bucket is None:
            return None
        gone = bucket.drop(peer)
        promoted = None
        if gone is not None:
            self._groups.remove(index, gone.groups)
            promoted = bucket.promote(now, lambda spare: self._groups.over(index, spare.groups) is None)
        if promoted is not None:
            self._groups.add(index, promoted.groups)
        if not bucket.entries and not bucket.spares:
            del self._buckets[index]
        return promoted.peer if promoted is not None else None

    def closest(self, key: KadKey, count: int) -> list[PeerId]:
        """The up to `count` live peers closest to `key`, nearest first."""
        near = self.bucket_index(key)
        found = self._nearest(key, [near], count)
        if len(found) < count:
            # All of these share exactly `near` bits with the key, so only sorting them together gives their order.
            found += self._nearest(key, [i for i in self._buckets if i > near], count - len(found))
        for index in sorted((i for i in self._buckets if i < near), reverse=True):
            if len(found) >= count:
                break
            found += self._nearest(key, [index], count - len(found))
        return found

    def _nearest(self, key: KadKey, indexes: list[int], count: int) -> list[PeerId]:
        entries = [entry for index in indexes if index in self._buckets for entry in self._buckets[index].entries]
        return [entry.peer for entry in nsmallest(count, entries, key=lambda entry: entry.key.value ^ key.value)]

    def touch(self, key: KadKey, now: float) -> None:
        """A lookup went to the bucket of `key`, so it needs no refresh for a while."""
        self._touched[self.bucket_index(key)] = now

    def touched_at(self, index: int) -> float | None:
        """When bucket `index` was last looked up or first filled; None if never."""
        return self._touched.get(index)

    @property
    def deepest(self) -> int:
        """The highest index of a bucket that holds a peer; -1 if the table is empty."""
        return max((index for index, bucket in self._buckets.items() if len(bucket)), default=-1)
