"""Inbound dispatch: agrees on a protocol with a remote that opened a stream, and hands the stream to who serves it.

Nothing a remote sends here, and no fault of a handler, reaches further than its own stream.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import trio

from chiral.errors import ChiralError, ProtocolError, RemoteError, StreamResetError
from chiral.host.multistream import HEADER, HEADER_NAME, NA, line, read_line
from chiral.host.stream import HostStream, MuxedStream
from chiral.interface.peer import PeerId
from chiral.interface.streams import StreamHandler

logger = logging.getLogger(__name__)

_MAX_PROPOSALS = 32
_READ_BYTES = 16 * 1024
_LINGER_S = 10.0
_LINGER_LIMIT_BYTES = 256 * 1024


class Inbound:
    """Serves inbound streams of one host from its table of handlers; counts what it refused."""

    def __init__(self, handlers: Mapping[str, StreamHandler], negotiate_timeout_s: float) -> None:
        self._handlers = handlers
        self._negotiate_timeout_s = negotiate_timeout_s
        self.refused = 0

    async def serve(self, muxed: MuxedStream, peer: PeerId, remote_addr: bytes | None) -> None:
        """Live with one inbound stream from its first byte to its end. Raises nothing but cancellation."""
        plain = HostStream(muxed, peer, "", remote_addr)
        try:
            with trio.move_on_after(self._negotiate_timeout_s) as deadline:
                negotiated = await self._negotiate(plain, muxed)
            if deadline.cancelled_caught:
                raise ProtocolError(f"no protocol named within {self._negotiate_timeout_s:g} s")
            stream, handler = negotiated
            await handler(stream)
            await stream.close()
            await _linger(stream)
        except RemoteError as error:
            self.refused += 1
            logger.debug("stream from %s: %s", peer.short, error)
            await plain.reset()
        except ChiralError as error:
            logger.warning("could not serve %s: %s", peer.short, error)
            await plain.reset()
        except Exception:
            logger.exception("a handler failed on a stream from %s", peer.short)
            await plain.reset()

    async def _negotiate(self, plain: HostStream, muxed: MuxedStream) -> tuple[HostStream, StreamHandler]:
        """Answer proposals until one is served here; its confirmation waits for the first write where more follows."""
        lines = _Lines(plain)
        opening = await lines.next()
        if opening != HEADER_NAME.encode():
            raise ProtocolError(f"a stream opened with {opening[:40]!r}")
        unsent = HEADER
        for _ in range(_MAX_PROPOSALS):
            if unsent and not lines.buffered:  # the remote waits for our header before it proposes
                await plain.write(unsent)
                unsent = b""
            name = (await lines.next()).decode("utf-8", errors="replace")
            handler = self._handlers.get(name)
            if handler is None:
                await plain.write(unsent + NA)
                unsent = b""
                continue
            confirmation = unsent + line(name)
            if not lines.buffered:
                await plain.write(confirmation)
                confirmation = b""
            rest = lines.buffered
            return HostStream(muxed, plain.peer, name, plain.remote_addr, outgoing=confirmation, buffered=rest), handler
        raise ProtocolError(f"{_MAX_PROPOSALS} protocols proposed, none of them served here")


class _Lines:
    """Reads multistream messages off a stream; `buffered` is what came after the last one."""

    def __init__(self, stream: HostStream) -> None:
        self._stream = stream
        self.buffered = b""

    async def next(self) -> bytes:
        """The next message's word; raises `ProtocolError`, or `StreamResetError` where the stream ends first."""
        while (found := read_line(self.buffered)) is None:
            more = await self._stream.read(_READ_BYTES)
            if not more:
                raise StreamResetError("the stream ended before a protocol was agreed")
            self.buffered += more
        self.buffered = self.buffered[found.end :]
        return found.word


async def _linger(stream: HostStream) -> None:
    """Wait, within bounds, for the remote to end its side; reset what does not end: no stream stays for ever."""
    with trio.move_on_after(_LINGER_S):
        left = _LINGER_LIMIT_BYTES
        while left > 0:
            got = await stream.read(_READ_BYTES)
            if not got:
                return
            left -= len(got)
    await stream.reset()
