"""Serves the DHT's inbound streams: message after message until the remote ends, within bounds. Decides no answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from chiral.clock import Clock
from chiral.errors import RemoteError, RequestTimeoutError
from chiral.interface.peer import PeerId
from chiral.interface.providers import ProviderRecord
from chiral.interface.streams import Stream, StreamHandler, Streams
from chiral.kad.framing import frame_message
from chiral.kad.messages import Message, MessageType
from chiral.kad.server import KeepProvider, Plan, plan
from chiral.routing.allowance import Allowance
from chiral.routing.inbox import Inbox
from chiral.routing.overlay import Overlay
from chiral.routing.refusals import Refusal, RefusalCounter, RefusedError
from chiral.routing.responder import Responder
from chiral.routing.settings import KadSettings


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What every inbound stream of a node is served with."""

    responder: Responder
    settings: KadSettings
    allowance: Allowance
    refusals: RefusalCounter


class KadServer:
    """Handlers of inbound streams. What a peer does wrong raises a `RemoteError`, which resets that stream alone."""

    def __init__(self, responder: Responder, settings: KadSettings, clock: Clock, refusals: RefusalCounter) -> None:
        self._limits = settings.inbound
        self._refusals = refusals
        self._parts = SessionParts(responder, settings, Allowance(settings.inbound, clock, refusals), refusals)
        self._streams: Counter[PeerId] = Counter()

    def serve(self, streams: Streams, overlay: Overlay) -> None:
        """Answer the overlay's protocol from now on."""
        streams.serve(overlay.protocol, self._handler(overlay))

    def _handler(self, overlay: Overlay) -> StreamHandler:
        async def handle(stream: Stream) -> None:
            try:
                with self._counted(stream.peer):
                    await _Session(self._parts, overlay, stream).run()
            except RemoteError as error:
                self._refusals.note(error)
                raise

        return handle

    @contextmanager
    def _counted(self, peer: PeerId) -> Iterator[None]:
        if self._streams[peer] >= self._limits.streams_per_peer:
            raise RefusedError(
                Refusal.STREAMS, f"{peer.short} holds {self._streams[peer]} DHT streams, the limit of a peer"
            )
        if self._streams.total() >= self._limits.streams:
            raise RefusedError(Refusal.STREAMS, f"{self._streams.total()} DHT streams are open, the limit in all")
        self._streams[peer] += 1
        try:
            yield
        finally:
            self._streams[peer] -= 1
            if not self._streams[peer]:
                del self._streams[peer]


class _Session:
    """One inbound stream. ADD_PROVIDERs that arrive together are stored together, before anything later is answered."""

    def __init__(self, parts: SessionParts, overlay: Overlay, stream: Stream) -> None:
        self._parts = parts
        self._limits = parts.settings.inbound
        self._allowance = parts.allowance.of_stream(stream.peer)
        self._patience_s = parts.settings.identify_wait_s
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
            limits = self._parts.responder.provider_limits
            raise RefusedError(Refusal.RECORDS, f"{self._refused} provider records are over the limits: {limits}")

    async def _next(self) -> Message | None:
        """The next request, or None at the end; what waits to be stored is stored before that is waited for."""
        if not self._inbox.waiting or len(self._records) >= self._limits.provider_batch:
            await self._store()
        try:
            if self._inbox.waiting:  # nothing is waited for, and a deadline costs more than all the rest
                return await self._inbox.next()
            with trio.move_on_after(self._limits.idle_s):
                return await self._inbox.next()
        except RemoteError:
            await self._store()
            raise
        raise RequestTimeoutError(f"{self._stream.peer.short} left a DHT stream idle for {self._limits.idle_s:g} s")

    async def _take(self, request: Message) -> None:
        step = await self._admitted(request)
        if isinstance(step, KeepProvider):
            self._records.append(await self._record(step))
            return
        await self._store()
        reply = await self._parts.responder.answer(self._overlay, self._stream.peer, request, step)
        with trio.move_on_after(self._limits.idle_s) as scope:
            await self._stream.write(frame_message(reply))
        if scope.cancelled_caught:
            raise RequestTimeoutError(f"{self._stream.peer.short} does not read its answers")

    async def _admitted(self, request: Message) -> Plan:
        """What the request calls for, once its peer may have it; nothing more is read of the stream until then."""
        try:
            await self._allowance.wait(record=request.type is MessageType.ADD_PROVIDER)
            return plan(request, self._stream.peer, max_addrs=self._limits.addrs_per_record)
        except RemoteError:
            await self._store()
            raise

    async def _record(self, step: KeepProvider) -> ProviderRecord:
        stream = self._stream
        record = await self._parts.responder.provider_record(stream.peer, stream.remote_addr, step, self._patience_s)
        if not step.addrs:
            self._patience_s = 0.0  # identify has come or will not: the next record need not wait again
        return record

    async def _store(self) -> None:
        records, self._records = self._records, []
        refused = len(records) - await self._parts.responder.keep_providers(records)
        if refused:
            self._refused += refused
            self._parts.refusals.add(Refusal.RECORDS, refused)
