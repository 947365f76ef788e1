"""Asks one peer one thing: opens a stream, sends, reads the answer, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import trio

from chiral.errors import ProtocolError, RemoteError, RequestTimeoutError, StreamResetError
from chiral.interface.peer import PeerId
from chiral.interface.streams import Connections, Stream, Streams
from chiral.kad.framing import frame_message
from chiral.kad.hearsay import credible_answer
from chiral.kad.messages import MAX_READ_BYTES, Message
from chiral.routing.inbox import Inbox
from chiral.routing.settings import KadSettings

_RESET_S = 1.0
_REFUSALS = 2
_LOSSES = 6
_PAUSE_S = 0.01
T = TypeVar("T")


class KadClient:
    """Requests over one of the DHT's protocols. Safe to use from many tasks; bounded streams to each peer."""

    def __init__(self, streams: Streams, connections: Connections, protocol: str, settings: KadSettings) -> None:
        self._streams = streams
        self._connections = connections
        self._protocol = protocol
        self._timeout_s = settings.request_timeout_s
        self._per_peer = settings.outbound.streams_per_peer
        self._slots: dict[PeerId, trio.Semaphore] = {}
        self._users: dict[PeerId, int] = {}

    async def request(self, peer: PeerId, message: Message) -> Message:
        """The answer of `peer`; raises a `RemoteError`, after the request time-out at the latest."""
        data = frame_message(message)

        async def exchange(stream: Stream) -> Message:
            await stream.finish(data)
            answer = await Inbox(stream).next()
            if answer is None:
                raise StreamResetError(f"{peer.short} closed without an answer")
            if answer.type is not message.type:
                raise ProtocolError(f"{peer.short} answered {message.type.name} with {answer.type.name}")
            return credible_answer(answer, stream.remote_addr)

        return await self._attempt(peer, exchange)

    async def tell(self, peer: PeerId, messages: Sequence[Message]) -> None:
        """Send messages that have no answer in one stream; returns when the peer has read them all and closed.

        Raises a `RemoteError`, after the request time-out at the latest.
        """
        await self.send(peer, b"".join(frame_message(message) for message in messages))

    async def send(self, peer: PeerId, data: bytes) -> None:
        """`tell` what was framed before, for messages that go to many peers."""

        async def exchange(stream: Stream) -> None:
            await stream.finish(data)
            await stream.read_to_end(MAX_READ_BYTES)

        await self._attempt(peer, exchange)

    async def _attempt(self, peer: PeerId, exchange: Callable[[Stream], Awaitable[T]]) -> T:
        # The wait for a place is not the peer's fault, so it stands outside the deadline that blames it; every caller
        # has a deadline of its own.
        async with self._place(peer):
            with trio.move_on_after(self._timeout_s):
                return await self._repeat(peer, exchange)
        raise RequestTimeoutError(f"{peer.short} did not answer within {self._timeout_s:g} s")

    async def _repeat(self, peer: PeerId, exchange: Callable[[Stream], Awaitable[T]]) -> T:
        """Try again after a reset: a few times if the connection went with it, once if that stands.

        Peers that close a connection the moment it is idle do so while a stream opens, and not seldom again on the next
        connection; a peer that resets the stream alone has refused.
        """
        for attempt in range(1, _LOSSES + 1):
            try:
                async with self._opened(peer) as stream:
                    return await exchange(stream)
            except StreamResetError:
                limit = _REFUSALS if self._connections.is_connected(peer) else _LOSSES
                if attempt >= limit:
                    raise
            await trio.sleep(_PAUSE_S * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")

    @asynccontextmanager
    async def _opened(self, peer: PeerId) -> AsyncIterator[Stream]:
        stream = await self._streams.open(peer, [self._protocol])
        try:
            yield stream
        except BaseException:
            with trio.move_on_after(_RESET_S, shield=True):
                await stream.reset()
            raise
        with suppress(RemoteError):  # the answer is here; how the remote leaves does not matter any more
            await stream.close()

    @asynccontextmanager
    async def _place(self, peer: PeerId) -> AsyncIterator[None]:
        slots = self._slots.setdefault(peer, trio.Semaphore(self._per_peer))
        self._users[peer] = self._users.get(peer, 0) + 1
        try:
            async with slots:
                yield
        finally:
            self._users[peer] -= 1
            if not self._users[peer]:
                del self._users[peer], self._slots[peer]
