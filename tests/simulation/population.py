"""The peers there are, with their points in the key space, and who is truly closest to what: global knowledge."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from heapq import nsmallest
from unittest.mock import patch

from chiral.interface.peer import PeerId
from chiral.kad.diversity import Group, groups_of
from chiral.kad.key import KEY_BITS, KadKey
from chiral.kad.messages import PeerEntry

_ED25519_ID = b"\x00\x24\x08\x01\x12\x20"
"""Identity multihash of 36 bytes: a protobuf public key of type Ed25519 with its 32 bytes."""
_TCP_4001 = b"\x06\x0f\xa1"


class Peer(PeerId):
    """A peer id that exists once in a simulation, so that two are equal only if they are the same object.

    That saves hashing its bytes for each look into a dictionary; nothing else differs from the ids of a real node.
    """

    __slots__ = ("entry", "groups", "index", "point")
    index: int
    entry: PeerEntry
    point: int
    groups: frozenset[Group] | None
    """Its networks where they are to be counted; None where it has one to itself, so that no limit could bite."""

    def __init__(
        self, raw: bytes, index: int, addrs: tuple[bytes, ...], groups: frozenset[Group] | None = None
    ) -> None:
        super().__init__(raw)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "index", index)
        object.__setattr__(self, "entry", PeerEntry(raw, addrs))
        object.__setattr__(self, "point", KadKey.of(raw).value)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class _Points(dict[bytes, KadKey]):
    def __init__(self) -> None:
        super().__init__()
        self._of = KadKey.of

    def __missing__(self, raw: bytes) -> KadKey:
        point = self[raw] = self._of(raw)
        return point


@contextmanager
def remembered_points() -> Iterator[None]:
    """Within it `KadKey.of` computes each point once, and all tables share it: a third of the memory and the time."""
    with patch.object(KadKey, "of", _Points().__getitem__):
        yield


class Ring:
    """Peers in the order of their points."""

    def __init__(self, peers: list[Peer]) -> None:
        self.peers = sorted(peers, key=lambda peer: peer.point)
        self._points = [peer.point for peer in self.peers]

    def __len__(self) -> int:
        return len(self.peers)

    def add(self, peer: Peer) -> None:
        """`peer` is there from now on."""
        at = bisect_left(self._points, peer.point)
        self._points.insert(at, peer.point)
        self.peers.insert(at, peer)

    def remove(self, peer: Peer) -> None:
        """`peer` is gone; raises `ValueError` if it was not there."""
        at = bisect_left(self._points, peer.point)
        if at == len(self.peers) or self.peers[at] is not peer:
            raise ValueError(f"{peer} is not there")
        del self._points[at], self.peers[at]

    def sharing(self, point: int, bits: int) -> range:
        """The positions in `peers` of those whose points share at least the first `bits` bits with `point`."""
        low = point >> (KEY_BITS - bits) << (KEY_BITS - bits)
        high = low | ((1 << (KEY_BITS - bits)) - 1)
        return range(bisect_left(self._points, low), bisect_right(self._points, high))

    def bucket(self, point: int, index: int) -> range:
        """The positions of those that share exactly `index` leading bits with `point`."""
        return self.sharing(point ^ (1 << (KEY_BITS - 1 - index)), index + 1)

    def closest(self, target: KadKey, count: int) -> list[Peer]:
        """The `count` peers truly closest to `target`, nearest first."""
        bits = 0
        near = self.sharing(target.value, 0)
        while bits < KEY_BITS:
            deeper = self.sharing(target.value, bits + 1)
            if len(deeper) < count:
                break
            near, bits = deeper, bits + 1
        return nsmallest(count, (self.peers[at] for at in near), key=lambda peer: peer.point ^ target.value)


class Population:
    """Every peer there has ever been, by its number and by its bytes."""

    def __init__(self, size: int, rng: random.Random) -> None:
        self._rng = rng
        self.peers: list[Peer] = []
        self._by_raw: dict[bytes, Peer] = {}
        for _ in range(size):
            self.add()

    def add(self) -> Peer:
        """A new peer with a random id."""
        return self._admit(self._random_raw())

    def add_near(self, target: KadKey, within: int, network: bytes | None = None) -> Peer:
        """A new peer whose distance to `target` is below `within`, found by making ids until one is: a Sybil.

        With `network`, three bytes, it has an address of that IPv4 /24 only.
        """
        while True:
            raw = self._random_raw()
            if int.from_bytes(sha256(raw).digest(), "big") ^ target.value < within:
                return self._admit(raw, network)

    def named(self, raw: bytes) -> Peer:
        """The peer with the id `raw`; raises `KeyError`."""
        return self._by_raw[raw]

    def _random_raw(self) -> bytes:
        return _ED25519_ID + self._rng.randbytes(32)

    def _admit(self, raw: bytes, network: bytes | None = None) -> Peer:
        v4 = b"\x04" + (network or self._rng.randbytes(3)) + self._rng.randbytes(1) + _TCP_4001
        v6 = b"\x29\x20\x01" + self._rng.randbytes(14) + _TCP_4001
        addrs = (v4, v6) if network is None else (v4,)
        peer = Peer(raw, len(self.peers), addrs, None if network is None else groups_of(addrs))
        self.peers.append(peer)
        self._by_raw[raw] = peer
        return peer
