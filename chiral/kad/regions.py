"""What lookups have made certain: in which subtrees of the key space every live peer is known. Sends nothing.

A lookup that found the k peers closest to a point knows every peer of the ball that reaches to the farthest of them:
another one in it would have been found instead. A ball is made of a few subtrees. Where those around a key hold k peers
together, and none between them is unknown, its k closest are among these, and no lookup of the key itself is needed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

from chiral.interface.peer import PeerId
from chiral.kad.key import KEY_BITS, KadKey

PeerAt = tuple[int, PeerId]
"""A peer behind its point of the key space, as a number of 256 bits."""

_END = 1 << KEY_BITS
_BALL_BITS = 6
"""A ball's smaller parts, under a 64th of it, hold no peer as good as ever."""


@dataclass(frozen=True, slots=True)
class Subtree:
    """All points whose first `depth` bits are those of the number `prefix`. Depth 0 is the whole key space."""

    depth: int
    prefix: int

    @classmethod
    def of(cls, point: int, depth: int) -> Subtree:
        """The subtree of this depth that `point` lies in."""
        return cls(depth, point >> (KEY_BITS - depth))

    @property
    def start(self) -> int:
        """The first point."""
        return self.prefix << (KEY_BITS - self.depth)

    @property
    def end(self) -> int:
        """The point behind the last one."""
        return (self.prefix + 1) << (KEY_BITS - self.depth)

    @property
    def size(self) -> int:
        """How many points it has."""
        return 1 << (KEY_BITS - self.depth)


@dataclass(frozen=True, slots=True)
class Region:
    """Keys whose k closest are known: those in `subtree` have them among `peers`."""

    subtree: Subtree
    peers: tuple[PeerAt, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """What has to be known first: the peers around `point` in `subtree`."""

    subtree: Subtree
    point: int


class Regions:
    """The known part of the key space, out of lookups for the `k` closest live peers."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._points: list[int] = []
        self._peers: dict[int, PeerId] = {}
        self._covered: set[tuple[int, int]] = set()
        self._deepest = 0
        self.depth = 0
        """How long the longest prefix is that one lookup covered: about log2 of the network's size over k."""

    def learn(self, point: int, found: Sequence[PeerId], *, everyone: bool) -> None:
        """A lookup of `point` ended with `found`: the k closest live peers, or all there are if they are fewer.

        `everyone` says that there are no others even though k were found.
        """
        points = self.hear(found)
        if everyone or len(found) < self._k:
            self.close()
            return
        radius = max(at ^ point for at in points)
        highest = radius.bit_length() - 1
        self.depth = max(self.depth, KEY_BITS - highest)
        # A ball is a subtree for each bit that is set in its radius, the one of the highest bit around the point.
        for bit in range(highest, max(-1, highest - _BALL_BITS), -1):
            if radius >> bit & 1:
                self._cover(KEY_BITS - bit, (point ^ radius) >> bit ^ 1)

    def hear(self, found: Sequence[PeerId]) -> list[int]:
        """There are these peers, and nothing is certain of others around them; returns their points."""
        points = [KadKey.of(peer.raw).value for peer in found]
        for at, peer in zip(points, found, strict=True):
            if at not in self._peers:
                self._peers[at] = peer
                insort(self._points, at)
        return points

    def close(self) -> None:
        """Take what is known for all there is."""
        self._cover(0, 0)

    def around(self, point: int) -> Region | Gap:
        """The region to take the k closest peers of `point` from, or what has to be known first.

        Walks outward by distance: all peers closer to the point than `reached` are taken, and the subtrees whose points
        are next lie around the point whose distance is just that.
        """
        peers: list[PeerAt] = []
        reached = deepest = 0
        while reached < _END and len(peers) < self._k:
            least = KEY_BITS - ((reached & -reached).bit_length() - 1) if reached else 0
            part = self._covered_at(point ^ reached, least)
            if part is None:
                return Gap(Subtree.of(point ^ reached, least), point ^ reached)
            deepest = max(deepest, part.depth)
            peers += self.peers_in(part)
            reached += part.size
        return Region(Subtree.of(point, deepest), tuple(peers))

    def peers_in(self, subtree: Subtree) -> list[PeerAt]:
        """The peers known in it, in the order of their points; perhaps not all that are there."""
        points = self._points[bisect_left(self._points, subtree.start) : bisect_left(self._points, subtree.end)]
        return [(at, self._peers[at]) for at in points]

    def nearby(self, point: int, count: int) -> list[PeerId]:
        """Up to `count` known peers on each side of `point`."""
        at = bisect_left(self._points, point)
        return [self._peers[near] for near in self._points[max(0, at - count) : at + count]]

    def _covered_at(self, point: int, least: int) -> Subtree | None:
        """The largest covered subtree around `point` of at least this depth, or the smallest in it that has k peers."""
        for depth in range(self._deepest + 1):
            if (depth, point >> (KEY_BITS - depth)) in self._covered:
                found = Subtree.of(point, max(depth, least))
                return self._narrowed(found, point)
        return None

    def _narrowed(self, subtree: Subtree, point: int) -> Subtree:
        while subtree.depth < KEY_BITS:
            deeper = Subtree.of(point, subtree.depth + 1)
            if self._count(deeper) < self._k:
                break
            subtree = deeper
        return subtree

    def _count(self, subtree: Subtree) -> int:
        return bisect_left(self._points, subtree.end) - bisect_left(self._points, subtree.start)

    def _cover(self, depth: int, prefix: int) -> None:
        self._deepest = max(self._deepest, depth)
        self._covered.add((depth, prefix))
        # Two known halves make a known whole, so that the largest is found without putting parts together.
        while depth and (depth, prefix ^ 1) in self._covered:
            depth, prefix = depth - 1, prefix >> 1
            self._covered.add((depth, prefix))
