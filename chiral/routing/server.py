"""Serves the DHT's inbound streams: message after message until the remote ends, within bounds. Decides no answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from chiral.errors import LimitExceededError, RemoteError, RequestTimeoutError
from chiral.interface.peer import PeerId
from chiral.interface.providers import ProviderRecord
from chiral.interface.streams import Stream, StreamHandler, Streams
from chiral.kad.framing import frame_message
from chiral.kad.messages import Message
from chiral.kad.server import KeepProvider, plan
from chiral.routing.inbox import Inbox
from chiral.routing.overlay import Overlay
from chiral.routing.responder import Responder
from chiral.routing.settings import KadSettings


class KadServer:
    """Handlers of inbound streams. What a peer does wrong raises a `RemoteError`, which resets that stream alone."""

    def __init__(self, responder: Responder, settings: KadSettings) -> None:
        self._responder = responder
        self._settings = settings
        self._limits = settings.inbound
        self._streams: Counter[PeerId] = Counter()

    def serve(self, streams: Streams, overlay: Overlay) -> None:
        """Answer the overlay's protocol from now on."""
        streams.serve(overlay.protocol, self._handler(overlay))

    def _handler(self, overlay: Overlay) -> StreamHandler:
        async def handle(stream: Stream) -> None:
            with self._counted(stream.peer):
                await _Session(self._responder, self._settings, overlay, stream).run()

        return handle

    @contextmanager
    def _counted(self, peer: PeerId) -> Iterator[None]:
        if self._streams[peer] >= self._limits.streams_per_peer:
            raise LimitExceededError(f"{peer.short} holds {self._streams[peer]} DHT streams, which is the limit")
        if self._streams.total() >= self._limits.streams:
            raise LimitExceededError(f"{self._streams.total()} DHT streams are open, which is the limit")
        self._streams[peer] += 1
        try:
            yield
        finally:
            self._streams[peer] -= 1
            if not self._streams[peer]:
                del self._streams[peer]


class _Session:
    """One inbound stream. ADD_PROVIDERs that arrive together are stored together, before anything later is answered."""

    def __init__(self, responder: Responder, settings: KadSettings, overlay: Overlay, stream: Stream) -> None:
        self._responder = responder
        self._limits = settings.inbound
        self._patience_s = settings.identify_wait_s
        self._overlay = overlay
        self._stream = stream
        self._inbox = Inbox(stream)
        self._records: list[ProviderRecord] = []
        self._refused = 0

    async def run(self) -> None:
        while (request := await self._next()) is not None:
            await self._take(request)
        if self._refused:
            # The sender of records learns only by the way its stream ends that they were not all kept.
            raise LimitExceededError(f"{self._refused} provider records are over the store's limits")

    async def _next(self) -> Message | None:
        """The next request, or None at the end; what waits to be stored is stored before that is waited for."""
        if not self._inbox.waiting or len(self._records) >= self._limits.provider_batch:
            await self._store()
        try:
            with trio.move_on_after(self._limits.idle_s):
                return await self._inbox.next()
        except RemoteError:
            await self._store()
            raise
        raise RequestTimeoutError(f"{self._stream.peer.short} left a DHT stream idle for {self._limits.idle_s:g} s")

    async def _take(self, request: Message) -> None:
        peer = self._stream.peer
        try:
            step = plan(request, peer, max_addrs=self._limits.addrs_per_record)
        except RemoteError:
            await self._store()
            raise
        if isinstance(step, KeepProvider):
            record = await self._responder.provider_record(peer, self._stream.remote_addr, step, self._patience_s)
            self._records.append(record)
            if not step.addrs:
                self._patience_s = 0.0  # identify has come or will not: the next record need not wait again
            return
        await self._store()
        reply = await self._responder.answer(self._overlay, peer, request, step)
        with trio.move_on_after(self._limits.idle_s) as scope:
            await self._stream.write(frame_message(reply))
        if scope.cancelled_caught:
            raise RequestTimeoutError(f"{peer.short} does not read its answers")

    async def _store(self) -> None:
        records, self._records = self._records, []
        self._refused += len(records) - await self._responder.keep_providers(records)
