"""A stream to a peer as the other rooms see it: a Yamux stream with its protocol agreed, or being agreed in passing.

The words of multistream-select wait for the first write and travel with it, on either side: an opening's confirmation
is checked when the first bytes are read. What goes wrong comes out as a `RemoteError`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from libp2p.exceptions import BaseLibp2pError
from libp2p.stream_muxer.exceptions import MuxedStreamEOF

from chiral.errors import StreamResetError, UnsupportedProtocolError
from chiral.host.negotiation import Proposal
from chiral.interface.peer import PeerId

T = TypeVar("T")
_JOIN_BYTES = 4096


class MuxedStream(Protocol):
    """What is used of a multiplexed stream (`chiral.host.muxed_stream`)."""

    async def read(self, n: int | None = None) -> bytes: ...

    async def read_all(self, limit_bytes: int) -> bytes: ...

    def peek_buffered(self, limit_bytes: int) -> bytes: ...

    @property
    def is_whole(self) -> bool: ...

    def unread(self, data: bytes) -> None: ...

    async def write(self, data: bytes | bytearray | memoryview) -> None: ...

    async def finish(self, data: bytes | bytearray | memoryview = b"") -> None: ...

    async def abandon(self) -> None: ...

    async def reset(self) -> None: ...


async def guarded(waiting: Awaitable[T], peer: PeerId) -> T:
    """The result of `waiting`, every failure of the wire turned into `StreamResetError`; a clean end passes through."""
    try:
        return await waiting
    except MuxedStreamEOF:
        raise
    except BaseLibp2pError as error:
        raise StreamResetError(f"stream to {peer.short} broke off: {error or type(error).__name__}") from error


class HostStream:
    """One stream. `proposal` is what this side asks for, its answer still due; `outgoing` are words still to be sent.

    `refused` is told when the remote does not speak the protocol after all.
    """

    __slots__ = ("_ended", "_muxed", "_outgoing", "_peer", "_proposal", "_protocol", "_refused", "_remote_addr")

    def __init__(
        self,
        muxed: MuxedStream,
        peer: PeerId,
        protocol: str,
        remote_addr: bytes | None,
        *,
        proposal: Proposal | None = None,
        outgoing: bytes = b"",
        refused: Callable[[PeerId, str], None] | None = None,
    ) -> None:
        self._muxed = muxed
        self._peer = peer
        self._protocol = protocol
        self._remote_addr = remote_addr
        self._proposal = proposal
        self._outgoing = outgoing if proposal is None else proposal.words
        self._refused = refused
        self._ended = False

    @property
    def peer(self) -> PeerId:
        return self._peer

    @property
    def protocol(self) -> str:
        return self._protocol

    @property
    def remote_addr(self) -> bytes | None:
        return self._remote_addr

    async def read(self, max_bytes: int) -> bytes:
        if self._proposal is not None:
            await self.settle()
        elif self._outgoing and not self._muxed.peek_buffered(1):
            await self._say()
        return await self._some(max_bytes)

    async def read_to_end(self, limit_bytes: int) -> bytes:
        if self._proposal is not None:
            await self.settle()
        elif self._outgoing and not self._muxed.is_whole:
            # A remote may wait for our words before it ends its side. They go with the answer only if all is here.
            await self._say()
        return await self._all(limit_bytes)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._outgoing:
            data = await self._with_words(data)
        await guarded(self._muxed.write(data), self._peer)

    async def finish(self, data: bytes | bytearray | memoryview = b"") -> None:
        if self._outgoing:
            data = await self._with_words(data)
        await guarded(self._muxed.finish(data), self._peer)

    async def close(self) -> None:
        await self.finish()
        if not self._ended:
            await guarded(self._muxed.abandon(), self._peer)

    async def reset(self) -> None:
        await self._muxed.reset()

    async def settle(self) -> None:
        """Take the remote's confirmation of the opening, if it is still due.

        Raises `UnsupportedProtocolError` if it refuses, `ProtocolError` if it says anything else.
        """
        proposal = self._proposal
        if proposal is None:
            return
        if self._outgoing:
            await self._say()
        try:
            while proposal.wanted:
                data = await self._some(proposal.wanted)
                if not data:
                    raise StreamResetError(f"{self._peer.short} closed the stream without agreeing on {self._protocol}")
                proposal.take(data)
        except UnsupportedProtocolError as error:
            if self._refused is not None:
                self._refused(self._peer, self._protocol)
            raise UnsupportedProtocolError(f"{self._peer.short} does not speak {self._protocol}") from error
        self._proposal = None

    async def _say(self) -> None:
        words, self._outgoing = self._outgoing, b""
        await guarded(self._muxed.write(words), self._peer)

    async def _with_words(self, data: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
        """The words that wait and `data` in one piece, or `data` with the words sent before it where it is long."""
        if len(data) > _JOIN_BYTES:
            await self._say()
            return data
        words, self._outgoing = self._outgoing, b""
        return words + bytes(data)

    async def _all(self, limit_bytes: int) -> bytes:
        data = await guarded(self._muxed.read_all(limit_bytes), self._peer)
        self._ended = True
        return data

    async def _some(self, max_bytes: int) -> bytes:
        if self._ended:
            return b""
        try:
            return await guarded(self._muxed.read(max_bytes), self._peer)
        except MuxedStreamEOF:
            self._ended = True
            return b""
