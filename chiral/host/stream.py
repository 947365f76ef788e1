"""A stream to a peer as the other rooms see it: a Yamux stream with its protocol agreed, or being agreed in passing.

An opening may be lazy: the words of multistream-select wait for the first write and travel with it, and the remote's
answer is checked when the first bytes are read. What goes wrong comes out as a `RemoteError`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from libp2p.exceptions import BaseLibp2pError
from libp2p.stream_muxer.exceptions import MuxedStreamEOF

from chiral.errors import ProtocolError, StreamResetError, UnsupportedProtocolError
from chiral.host.multistream import HEADER_NAME, NOT_AVAILABLE, read_line
from chiral.interface.peer import PeerId

T = TypeVar("T")
_NEGOTIATION_READ_BYTES = 4096


class MuxedStream(Protocol):
    """What is used of a multiplexed stream (`chiral.host.muxed_stream`, or py-libp2p's `IMuxedStream`)."""

    async def read(self, n: int | None = None) -> bytes: ...

    async def read_all(self, limit_bytes: int) -> bytes: ...

    async def write(self, data: bytes | bytearray | memoryview) -> None: ...

    async def close(self) -> None: ...

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
    """One stream. `outgoing` are words still to be sent, `expecting` the words the remote has yet to confirm."""

    def __init__(
        self,
        muxed: MuxedStream,
        peer: PeerId,
        protocol: str,
        remote_addr: bytes | None,
        *,
        outgoing: bytes = b"",
        expecting: tuple[bytes, ...] = (),
        buffered: bytes = b"",
    ) -> None:
        self._muxed = muxed
        self._peer = peer
        self._protocol = protocol
        self._remote_addr = remote_addr
        self._outgoing = outgoing
        self._expecting = expecting
        self._buffered = buffered
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

    @property
    def ended(self) -> bool:
        """Whether the remote's clean end has been read."""
        return self._ended

    async def read(self, max_bytes: int) -> bytes:
        await self.settle()
        if self._buffered:
            taken, self._buffered = self._buffered[:max_bytes], self._buffered[max_bytes:]
            return taken
        return await self._read_some(max_bytes)

    async def read_to_end(self, limit_bytes: int) -> bytes:
        await self.settle()
        start, self._buffered = self._buffered, b""
        if self._ended:
            return start
        rest = await guarded(self._muxed.read_all(limit_bytes - len(start)), self._peer)
        self._ended = True
        return start + rest if start else rest

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._outgoing:
            words, self._outgoing = self._outgoing, b""
            if len(data) <= _NEGOTIATION_READ_BYTES:
                await guarded(self._muxed.write(words + bytes(data)), self._peer)
                return
            await guarded(self._muxed.write(words), self._peer)
        await guarded(self._muxed.write(data), self._peer)

    async def finish(self, data: bytes | bytearray | memoryview = b"") -> None:
        if data or self._outgoing:
            await self.write(data)
        await guarded(self._muxed.close(), self._peer)

    async def close(self) -> None:
        await self.finish()

    async def reset(self) -> None:
        try:
            await self._muxed.reset()
        except BaseLibp2pError:
            return  # it is gone already, which is what was wanted

    def proposing(self, protocol: str, words: bytes, confirmation: tuple[bytes, ...]) -> HostStream:
        """This stream, about to propose `protocol` with `words`; what was read ahead goes along."""
        return HostStream(
            self._muxed,
            self._peer,
            protocol,
            self._remote_addr,
            outgoing=words,
            expecting=confirmation,
            buffered=self._buffered,
        )

    async def settle(self) -> None:
        """Take the remote's confirmation of the opening, if it is still due.

        Raises `UnsupportedProtocolError` if it refuses, `ProtocolError` if it says anything else.
        """
        if not self._expecting:
            return
        if self._outgoing:
            await self.write(b"")
        while self._expecting:
            line = read_line(self._buffered)
            if line is None:
                more = await self._read_some(_NEGOTIATION_READ_BYTES)
                if not more:
                    raise StreamResetError(f"{self._peer.short} closed the stream without agreeing on {self._protocol}")
                self._buffered += more
                continue
            self._buffered = self._buffered[line.end :]
            if line.word == NOT_AVAILABLE.encode():
                raise UnsupportedProtocolError(f"{self._peer.short} does not speak {self._protocol}")
            if line.word != self._expecting[0]:
                raise ProtocolError(f"{self._peer.short} answered an opening with {line.word[:40]!r}")
            self._expecting = self._expecting[1:]

    async def _read_some(self, max_bytes: int) -> bytes:
        if self._ended:
            return b""
        try:
            return await guarded(self._muxed.read(max_bytes), self._peer)
        except MuxedStreamEOF:
            self._ended = True
            return b""


def confirmation_of(protocol: str) -> tuple[bytes, ...]:
    """The words a remote confirms an opening of `protocol` with."""
    return (HEADER_NAME.encode(), protocol.encode())
