"""Tells peers of keys: each peer all of its keys in few streams, peers side by side. Keeps no state between calls."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import aclosing

import trio

from chiral.errors import PeerUnreachableError, RemoteError, RequestTimeoutError, UnsupportedProtocolError
from chiral.interface.peer import PeerId
from chiral.interface.routing import ProvideResult
from chiral.kad.announcement import AnnouncementFrames
from chiral.kad.sweep import Group
from chiral.routing.placement import place
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings

_ABSENT = (PeerUnreachableError, RequestTimeoutError, UnsupportedProtocolError)
_log = logging.getLogger(__name__)


class Round:
    """One announcement of `keys` in every overlay; `asked` and `stored` say how far it has come."""

    def __init__(self, keys: Sequence[bytes], queries: Sequence[Queries], settings: KadSettings) -> None:
        self.asked = dict.fromkeys(keys, 0)
        self.stored = dict.fromkeys(keys, 0)
        self._queries = queries
        self._settings = settings

    async def run(self) -> None:
        """Announce. Faults of single peers raise nothing."""
        async with trio.open_nursery() as nursery:
            for queries in self._queries:
                nursery.start_soon(self._run_in, queries)

    def results(self) -> list[ProvideResult]:
        """What came of each key, in order."""
        return [ProvideResult(key, asked, self.stored[key]) for key, asked in self.asked.items()]

    async def _run_in(self, queries: Queries) -> None:
        limits = self._settings.outbound
        groups: list[Group] = []
        placing = place(queries, list(self.asked), k=self._settings.k, concurrent=limits.lookups)
        async with aclosing(placing):
            async for group in placing:
                groups.append(group)
        for group in groups:
            for key in group.keys:
                self.asked[key] += len(group.peers)
        frames = AnnouncementFrames(queries.overlay.entry(queries.overlay.table.local))
        framed = {key: frames.of(key) for key in self.asked}
        places = trio.CapacityLimiter(limits.announce_peers)

        async def tell(peer: PeerId, keys: list[bytes]) -> None:
            async with places:
                for start in range(0, len(keys), limits.announce_batch):
                    batch = keys[start : start + limits.announce_batch]
                    if not await tell_peer(queries, peer, [framed[key] for key in batch]):
                        return
                    for key in batch:
                        self.stored[key] += 1

        async with trio.open_nursery() as nursery:
            for peer, keys in _by_peer(groups).items():
                nursery.start_soon(tell, peer, keys)


async def tell_peer(queries: Queries, peer: PeerId, frames: Sequence[bytes]) -> bool:
    """Send announcements to `peer` in one stream; whether it took them."""
    try:
        await queries.client.send(peer, b"".join(frames))
    except RemoteError as error:
        _log.debug("%s did not take %d provider records: %s", peer.short, len(frames), error)
        # A reset is a refusal of these records; the peer is none the less there.
        if isinstance(error, _ABSENT):
            queries.overlay.failed(peer, error)
        return False
    return True


def _by_peer(groups: Iterable[Group]) -> dict[PeerId, list[bytes]]:
    by_peer: dict[PeerId, list[bytes]] = defaultdict(list)
    for group in groups:
        for peer in group.peers:
            by_peer[peer] += group.keys
    return by_peer
