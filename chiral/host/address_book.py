"""The address book: which addresses are known of which peer, until when; bounded in peers and in addresses a peer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from chiral.clock import Clock
from chiral.errors import InvalidAddressError
from chiral.host.addresses import endpoint_of, split_peer
from chiral.interface.peer import PeerId

MAX_PEERS = 10_000
MAX_ADDRS_PER_PEER = 16
MAX_ADDR_BYTES = 256


class AddressBook:
    """Binary addresses by peer; the peer least recently heard of makes room for a new one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._peers: OrderedDict[PeerId, dict[bytes, float]] = OrderedDict()

    def add(self, peer: PeerId, addrs: Iterable[bytes], *, ttl_s: float) -> int:
        """Remember those of `addrs` that can be dialled; returns how many were not known before.

        When a peer has too many, the one that would be forgotten first gives way to one that lasts longer: what a peer
        says of itself is not pushed out by what others say of it for a shorter time.
        """
        now = self._clock.monotonic()
        known = {addr: until for addr, until in self._peers.get(peer, {}).items() if until > now}
        new = 0
        for addr in addrs:
            plain = _dialable(addr, peer)
            if plain is None or known.get(plain, 0.0) >= now + ttl_s:
                continue
            if plain not in known:
                if len(known) >= MAX_ADDRS_PER_PEER and not _make_room(known, now + ttl_s):
                    continue
                new += 1
            known[plain] = now + ttl_s
        if known:
            self._peers[peer] = known
            self._peers.move_to_end(peer)
            while len(self._peers) > MAX_PEERS:
                self._peers.popitem(last=False)
        return new

    def of(self, peer: PeerId) -> tuple[bytes, ...]:
        """The live addresses of `peer`, in the order they were learned."""
        known = self._peers.get(peer)
        if known is None:
            return ()
        now = self._clock.monotonic()
        for addr in [addr for addr, expires_at in known.items() if expires_at <= now]:
            del known[addr]
        if not known:
            del self._peers[peer]
        return tuple(known)

    def forget(self, peer: PeerId, addr: bytes) -> None:
        """Drop one address, for example because somebody else answered there."""
        known = self._peers.get(peer, {})
        known.pop(addr, None)
        if not known:
            self._peers.pop(peer, None)


def _make_room(known: dict[bytes, float], until: float) -> bool:
    """Drop the address that expires first; False if none expires before `until`."""
    first = min(known, key=known.__getitem__)
    if known[first] >= until:
        return False
    del known[first]
    return True


def _dialable(addr: bytes, peer: PeerId) -> bytes | None:
    """`addr` without its `/p2p/`, or None if it cannot be dialled or names another peer."""
    if len(addr) > MAX_ADDR_BYTES:
        return None
    try:
        plain, named = split_peer(addr)
    except InvalidAddressError:
        return None
    endpoint = endpoint_of(plain)
    return plain if named in (None, peer) and endpoint is not None and endpoint.port else None
