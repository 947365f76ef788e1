"""Announces keys: finds who is to keep each, and tells every such peer all of its keys in few streams."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence

import trio

from chiral.clock import Clock
from chiral.errors import PeerUnreachableError, RemoteError, RequestTimeoutError, UnsupportedProtocolError
from chiral.interface.peer import PeerId
from chiral.interface.routing import ProvideResult
from chiral.kad.messages import Message, MessageType
from chiral.routing.own_keys import OwnKeys
from chiral.routing.placement import place
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings

_ABSENT = (PeerUnreachableError, RequestTimeoutError, UnsupportedProtocolError)
_log = logging.getLogger(__name__)


class Announcer:
    """Sends ADD_PROVIDERs for this node's own keys in every overlay, and notes what came of it."""

    def __init__(self, queries: Sequence[Queries], own: OwnKeys, clock: Clock, settings: KadSettings) -> None:
        self._queries = queries
        self._own = own
        self._clock = clock
        self._settings = settings

    async def announce(self, keys: Sequence[bytes]) -> list[ProvideResult]:
        """Tell the closest peers of each of `keys`, which are this node's own from now on; in the order of `keys`."""
        asked: dict[bytes, int] = dict.fromkeys(keys, 0)
        stored: dict[bytes, int] = dict.fromkeys(keys, 0)
        self._own.begin(keys)
        try:
            async with trio.open_nursery() as nursery:
                for queries in self._queries:
                    nursery.start_soon(self._announce_in, queries, keys, asked, stored)
        finally:
            # After a cancellation too: what was not told to anybody is due again soon.
            now = self._clock.wall()
            for key in keys:
                self._own.announced(key, stored[key], now)
        return [ProvideResult(key, asked[key], stored[key]) for key in keys]

    async def _announce_in(
        self, queries: Queries, keys: Sequence[bytes], asked: dict[bytes, int], stored: dict[bytes, int]
    ) -> None:
        limits = self._settings.outbound
        placement = await place(queries, keys, k=self._settings.k, concurrent=limits.lookups)
        by_peer: dict[PeerId, list[bytes]] = defaultdict(list)
        for key, peers in placement.items():
            asked[key] += len(peers)
            for peer in peers:
                by_peer[peer].append(key)
        places = trio.CapacityLimiter(limits.announce_peers)

        async def send(peer: PeerId, wanted: list[bytes]) -> None:
            async with places:
                for batch in _batches(wanted, limits.announce_batch):
                    if not await self._send(queries, peer, batch):
                        return
                    for key in batch:
                        stored[key] += 1

        async with trio.open_nursery() as nursery:
            for peer, wanted in by_peer.items():
                nursery.start_soon(send, peer, wanted)

    async def _send(self, queries: Queries, peer: PeerId, keys: list[bytes]) -> bool:
        own = queries.overlay.entry(queries.overlay.table.local)
        messages = [Message(MessageType.ADD_PROVIDER, key, providers=(own,)) for key in keys]
        try:
            await queries.client.tell(peer, messages)
        except RemoteError as error:
            _log.debug("%s did not take %d provider records: %s", peer.short, len(keys), error)
            # A reset is a refusal of these records; the peer is none the less there.
            if isinstance(error, _ABSENT):
                queries.overlay.failed(peer, error)
            return False
        return True


def _batches(keys: list[bytes], size: int) -> Iterator[list[bytes]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
