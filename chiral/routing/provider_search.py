"""Finds providers: local records first, then what was found lately, then every key and overlay at once.

Each provider is reported once. What was found lately may be gone by now, so it takes no more than half of the places
at once: the rest of it is reported when the network has named no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import trio

from chiral.clock import Clock
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.providers import FoundProvider
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType, PeerEntry
from chiral.routing.overlay import Overlay
from chiral.routing.provider_cache import ProviderCache
from chiral.routing.queries import Queries
from chiral.routing.responder import Responder

_MAX_RESOLVED = 16
_MAX_UNADDRESSED = 256


@dataclass(frozen=True, slots=True)
class SearchParts:
    """What every search of a node uses."""

    queries: Sequence[Queries]
    responder: Responder
    cache: ProviderCache
    clock: Clock


class ProviderSearch:
    """One search, reporting to `send`, whose buffer holds `count`. Ends by itself once `count` providers are found."""

    def __init__(self, parts: SearchParts, count: int, send: trio.MemorySendChannel[FoundProvider]) -> None:
        self._parts = parts
        self._missing = count
        self._send = send
        self._reported: set[PeerId] = set()
        self._remembered: list[FoundProvider] = []
        self._unaddressed: dict[PeerId, tuple[Overlay, FoundProvider]] = {}
        self._enough = trio.CancelScope()

    async def run(self, keys: Sequence[bytes], timeout_s: float) -> None:
        """Search for `timeout_s` seconds at most; raises a `LocalError` if the store fails."""
        with self._send:
            with self._enough, trio.move_on_after(timeout_s):
                await self._search(keys)
            unaddressed = [found for _, found in self._unaddressed.values()]
            for found in [*self._remembered, *unaddressed]:
                self._report(found)

    async def _search(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            await self._take_local(key)
        self._take_remembered(keys)
        async with trio.open_nursery() as nursery:
            for queries in self._parts.queries:
                for key in keys:
                    nursery.start_soon(self._search_in, queries, key)
        await self._resolve()

    async def _take_local(self, key: bytes) -> None:
        # Records are the same for every overlay; addresses come from one address book.
        overlay = self._parts.queries[0].overlay
        for record in await self._parts.responder.local_records(key):
            if record.peer != overlay.table.local:
                info = PeerInfo(record.peer, record.addrs)
                self._take(overlay, _found(info, key, received_at=record.received_at))

    def _take_remembered(self, keys: Sequence[bytes]) -> None:
        now = self._parts.clock.monotonic()
        self._remembered = [found for key in keys for found in self._parts.cache.get(key, now)]
        places = self._missing // 2
        for found in self._remembered:
            self._parts.queries[0].overlay.remember(found.info)
            if places > 0 and self._report(found):
                places -= 1

    async def _search_in(self, queries: Queries, key: bytes) -> None:
        def on_answer(told_by: PeerId, message: Message) -> bool:
            now = self._parts.clock.monotonic()
            for info in queries.overlay.learn(message.providers):
                found = _found(info, key, told_by=told_by)
                if info.addrs:
                    self._parts.cache.put(found, now)
                self._take(queries.overlay, found)
            return self._missing <= 0

        await queries.seek(Message(MessageType.GET_PROVIDERS, key), on_answer)

    def _take(self, overlay: Overlay, found: FoundProvider) -> None:
        peer, told = found.info.peer, found.info.addrs
        # What was known before comes first, so that nobody can crowd out an address that works with many that do not.
        known = PeerInfo(peer, tuple(dict.fromkeys((*overlay.known_addrs(PeerInfo(peer)), *told))))
        overlay.remember(found.info)
        if overlay.reachable(found.info):
            self._report(replace(found, info=PeerInfo(peer, overlay.known_addrs(known))))
        elif peer not in self._reported and len(self._unaddressed) < _MAX_UNADDRESSED:
            self._unaddressed.setdefault(peer, (overlay, found))

    async def _resolve(self) -> None:
        """Ask the DHT where the providers are that came without addresses."""
        async with trio.open_nursery() as nursery:
            for _, found in list(self._unaddressed.values())[:_MAX_RESOLVED]:
                for queries in self._parts.queries:
                    nursery.start_soon(self._resolve_in, queries, found)

    async def _resolve_in(self, queries: Queries, found: FoundProvider) -> None:
        peer = found.info.peer

        def on_answer(_: PeerId, message: Message) -> bool:
            for info in queries.overlay.learn(_entries_of(peer, message)):
                self._take(queries.overlay, replace(found, info=info))
            return peer in self._reported

        await queries.seek(Message(MessageType.FIND_NODE, peer.raw), on_answer)

    def _report(self, found: FoundProvider) -> bool:
        """Whether `found` took one of the places."""
        peer = found.info.peer
        self._unaddressed.pop(peer, None)
        if peer in self._reported or self._missing <= 0:
            return False
        self._reported.add(peer)
        self._missing -= 1
        try:
            self._send.send_nowait(found)
        except trio.BrokenResourceError:  # whoever asked has left
            self._missing = 0
        if self._missing <= 0:
            self._enough.cancel()
        return True


def _found(
    info: PeerInfo, key: bytes, *, received_at: float | None = None, told_by: PeerId | None = None
) -> FoundProvider:
    distance = KadKey.of(key).distance(KadKey.of(info.peer.raw))
    return FoundProvider(info, key, distance, received_at, told_by)


def _entries_of(peer: PeerId, message: Message) -> list[PeerEntry]:
    return [entry for entry in message.closer if entry.id == peer.raw]
