"""Places many keys with few lookups: says what to look up next, and which peers are to keep which keys. Sends nothing.

The keys are walked in the order of the key space. A key whose region is known gets the k closest of the region's peers.
One beside a gap has the gap looked up, at a key of our own that lies there if there is one, else at a peer known there;
where keys are few they are looked up themselves. A key that was looked up keeps what its lookup found.
Source: the idea of sweeping regions instead of keys is that of Kubo's "reprovide sweep".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import pairwise

from chiral.interface.peer import PeerId
from chiral.kad.key import KEY_BITS, KadKey
from chiral.kad.regions import Gap, PeerAt, Region, Regions, Subtree

_NEARBY = 10
"""Peers on each side of a point that a lookup of it begins with."""
_MANY = 3
"""Keys in a neighbourhood for which its gaps are worth lookups of their own."""
_BLIND_LIMIT = 3
"""After so many lookups that came to no end, what is known has to do for all keys that are left."""


@dataclass(frozen=True, slots=True)
class Group:
    """Keys, and the peers that are to keep each of them: its k closest, in no order."""

    keys: tuple[bytes, ...]
    peers: tuple[PeerId, ...]


class Sweep:
    """Places `keys`, each once. Ask `points`, look each up, tell `learnt`, until `points` is empty; then take `groups`.

    Cost, with n keys and N peers: 2 to 2.5 N/k lookups where keys are dense, n where they are few.
    """

    def __init__(self, keys: Iterable[bytes], *, k: int) -> None:
        self._k = k
        self._regions = Regions(k)
        self._open = sorted((KadKey.of(key).value, key) for key in dict.fromkeys(keys))
        self._groups: list[Group] = []
        self._looked: set[bytes] = set()
        self._blind = 0

    def groups(self) -> list[Group]:
        """The keys placed since this was last asked, in the order of the key space within a region."""
        groups, self._groups = self._groups, []
        return groups

    def points(self, limit: int) -> list[bytes]:
        """Up to `limit` raw keys to look up next, all at once, far from each other; empty once every key is placed."""
        chosen: dict[bytes, None] = {}
        left: list[tuple[int, bytes]] = []
        at = passed = 0
        while at < len(self._open):
            point = self._open[at][0]
            found = self._regions.around(point)
            if isinstance(found, Region):
                end = self._index(found.subtree.end, at)
                self._place(found.peers, self._open[at:end])
                left += self._open[passed:at]
                at = passed = end
                continue
            if len(chosen) < limit:
                chosen[self._point_for(at, found)] = None
            # What is chosen will cover the neighbourhood too; its other keys wait for that.
            at = self._index(self._neighbourhood(point).end, at)
        self._open = left + self._open[passed:]
        return list(chosen)

    def learnt(self, raw: bytes, found: Sequence[PeerId], *, complete: bool, everyone: bool) -> None:
        """The lookup of `raw`, one of `points`, ended with the closest live peers `found`.

        `complete` is false if it was broken off; `everyone` is true if there are no peers but these.
        """
        self._looked.add(raw)
        point = KadKey.of(raw).value
        if complete or len(found) >= self._k:
            self._regions.learn(point, found, everyone=everyone)
        else:
            self._regions.hear(found)
            self._blind += 1
            if self._blind >= _BLIND_LIMIT:
                self._regions.close()
        at = bisect_left(self._open, (point, raw))
        if at < len(self._open) and self._open[at] == (point, raw):
            del self._open[at]
            self._groups.append(Group((raw,), tuple(found)))

    def nearby(self, raw: bytes) -> list[PeerId]:
        """Peers already known around `raw`, with whom its lookup is short."""
        return self._regions.nearby(KadKey.of(raw).value, _NEARBY)

    def _index(self, point: int, start: int) -> int:
        """The index of the first open key at or behind `point`, which lies behind that of index `start`."""
        return bisect_left(self._open, (point, b""), start + 1)

    def _neighbourhood(self, point: int) -> Subtree:
        """Where a lookup of `point` is likely to make the most certain."""
        return Subtree.of(point, max(0, self._regions.depth - 1))

    def _point_for(self, at: int, gap: Gap) -> bytes:
        """The raw key to look up for the open key of index `at`."""
        point, raw = self._open[at]
        near = self._regions.peers_in(self._neighbourhood(gap.point))
        known = [peer for peer in near if peer[1].raw not in self._looked]
        keys = self._index(self._neighbourhood(point).end, at) - at
        # A peer looked up places no key, so that it is worth it only for several, and never for fewer than were tried.
        if gap.point == point or not known or keys < max(_MANY, len(near) - len(known)):
            return raw
        leaf = Subtree.of(gap.point, self._regions.depth)
        own = bisect_left(self._open, (leaf.start, b""))
        if own < len(self._open) and self._open[own][0] < leaf.end:
            return self._open[own][1]
        return min(known, key=lambda peer: peer[0] ^ gap.point)[1].raw

    def _place(self, peers: Sequence[PeerAt], keys: Sequence[tuple[int, bytes]]) -> None:
        for run in _runs(keys, _cell_bits(peers)) if len(peers) > self._k else (keys,):
            target = run[0][0]
            nearest = nsmallest(self._k, peers, key=lambda peer, target=target: peer[0] ^ target)  # type: ignore[misc]
            self._groups.append(Group(tuple(key for _, key in run), tuple(peer for _, peer in nearest)))


def _cell_bits(peers: Sequence[PeerAt]) -> int:
    """How many leading bits of a key decide the order of `peers`, ascending by point, around it.

    Which of two peers is closer hangs on the first bit in which they differ, and that is earlier than this for any two.
    """
    shared = max(KEY_BITS - (one[0] ^ other[0]).bit_length() for one, other in pairwise(peers))
    return min(shared + 1, KEY_BITS)


def _runs(keys: Sequence[tuple[int, bytes]], bits: int) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Cut ascending `keys` where their first `bits` bits change."""
    shift = KEY_BITS - bits
    start = 0
    for at in range(1, len(keys) + 1):
        if at == len(keys) or keys[at][0] >> shift != keys[start][0] >> shift:
            yield keys[start:at]
            start = at
