"""Finds peers: one by its id, or those closest to a key, in every overlay at once."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import Connections
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings


class PeerSearch:
    """Searches for peers by lookups in all of `queries`; the settings' `k` is how many count as close."""

    def __init__(
        self, local: PeerId, queries: Sequence[Queries], connections: Connections, settings: KadSettings
    ) -> None:
        self._local = local
        self._queries = queries
        self._connections = connections
        self._k = settings.k
        # A lookup of several paths gives each its share of the places, which is a choice of whom to trust and not yet
        # who is closest; of so many, the k closest of every path are among them.
        self._enough = settings.k * settings.disjoint_paths

    async def find(self, peer: PeerId) -> PeerInfo | None:
        """The peer's addresses: those of a live connection's peer at once, else what the DHT and this node know."""
        if peer == self._local:
            return PeerInfo(peer, self._connections.listen_addrs())
        known = self._connections.addrs_of(peer)
        if known and self._connections.is_connected(peer):
            return PeerInfo(peer, known)
        async with trio.open_nursery() as nursery:
            for queries in self._queries:
                nursery.start_soon(_find_in, queries, peer)
        known = self._connections.addrs_of(peer)
        return PeerInfo(peer, known) if known else None

    async def closest(self, key: bytes) -> list[PeerInfo]:
        """The k closest live peers to `key` that lookups find, nearest first; not this one."""
        target = KadKey.of(key)
        found: set[PeerId] = set()

        async def search(queries: Queries) -> None:
            found.update((await queries.seek(Message(MessageType.FIND_NODE, key))).closest(self._enough))

        async with trio.open_nursery() as nursery:
            for queries in self._queries:
                nursery.start_soon(search, queries)
        nearest = sorted(found, key=lambda peer: target.distance(KadKey.of(peer.raw)))[: self._k]
        return [PeerInfo(peer, self._connections.addrs_of(peer)) for peer in nearest]


async def _find_in(queries: Queries, peer: PeerId) -> None:
    def on_answer(_: PeerId, message: Message) -> bool:
        told = [info for info in queries.overlay.learn(message.closer) if info.peer == peer and info.addrs]
        for info in told:
            queries.overlay.remember(info)
        return bool(told)

    await queries.seek(Message(MessageType.FIND_NODE, peer.raw), on_answer)
