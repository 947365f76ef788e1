"""Finds providers: local records first, then every key and overlay at once, each provider reported once."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chiral.interface.peer import PeerId, PeerInfo
from chiral.kad.messages import Message, MessageType, PeerEntry
from chiral.routing.overlay import Overlay
from chiral.routing.queries import Queries
from chiral.routing.responder import Responder

_MAX_RESOLVED = 16


class ProviderSearch:
    """One search, reporting to `send`, whose buffer holds `count`. Ends by itself once `count` providers are found."""

    def __init__(
        self, queries: Sequence[Queries], responder: Responder, count: int, send: trio.MemorySendChannel[PeerInfo]
    ) -> None:
        self._queries = queries
        self._responder = responder
        self._missing = count
        self._send = send
        self._reported: set[PeerId] = set()
        self._unaddressed: dict[PeerId, Overlay] = {}
        self._enough = trio.CancelScope()

    async def run(self, keys: Sequence[bytes], timeout_s: float) -> None:
        """Search for `timeout_s` seconds at most."""
        with self._send:
            with self._enough, trio.move_on_after(timeout_s):
                await self._search(keys)
            for peer in list(self._unaddressed):
                self._report(PeerInfo(peer))

    async def _search(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            # Records are the same for every overlay; addresses come from one address book.
            overlay = self._queries[0].overlay
            self._take(overlay, await self._responder.local_providers(overlay, key))
        async with trio.open_nursery() as nursery:
            for queries in self._queries:
                for key in keys:
                    nursery.start_soon(self._search_in, queries, key)
        await self._resolve()

    async def _search_in(self, queries: Queries, key: bytes) -> None:
        def on_answer(_: PeerId, message: Message) -> bool:
            self._take(queries.overlay, message.providers)
            return self._missing <= 0

        await queries.seek(Message(MessageType.GET_PROVIDERS, key), on_answer)

    def _take(self, overlay: Overlay, entries: Sequence[PeerEntry]) -> None:
        for info in overlay.learn(entries):
            overlay.remember(info)
            if overlay.reachable(info):
                self._report(PeerInfo(info.peer, overlay.known_addrs(info)))
            elif info.peer not in self._reported:
                self._unaddressed.setdefault(info.peer, overlay)

    async def _resolve(self) -> None:
        """Ask the DHT where the providers are that came without addresses."""
        async with trio.open_nursery() as nursery:
            for peer in list(self._unaddressed)[:_MAX_RESOLVED]:
                for queries in self._queries:
                    nursery.start_soon(self._resolve_in, queries, peer)

    async def _resolve_in(self, queries: Queries, peer: PeerId) -> None:
        def on_answer(_: PeerId, message: Message) -> bool:
            self._take(queries.overlay, [entry for entry in message.closer if entry.id == peer.raw])
            return peer in self._reported

        await queries.seek(Message(MessageType.FIND_NODE, peer.raw), on_answer)

    def _report(self, info: PeerInfo) -> None:
        self._unaddressed.pop(info.peer, None)
        if info.peer in self._reported or self._missing <= 0:
            return
        self._reported.add(info.peer)
        self._missing -= 1
        try:
            self._send.send_nowait(info)
        except trio.BrokenResourceError:  # whoever asked has left
            self._missing = 0
        if self._missing <= 0:
            self._enough.cancel()
