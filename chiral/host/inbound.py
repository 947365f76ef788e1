"""Inbound dispatch: agrees on a protocol with a remote that opened a stream, and hands the stream to who serves it.

Nothing a remote sends here, and no fault of a handler, reaches further than its own stream.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import trio
from libp2p.stream_muxer.exceptions import MuxedStreamEOF

from chiral.errors import ChiralError, RemoteError, RequestTimeoutError, StreamResetError
from chiral.host.negotiation import Answering
from chiral.host.stream import HostStream, MuxedStream, guarded
from chiral.interface.peer import PeerId
from chiral.interface.streams import StreamHandler

logger = logging.getLogger(__name__)

_READ_BYTES = 16 * 1024


class Inbound:
    """Serves inbound streams of one host from its table of handlers; counts what it refused."""

    def __init__(self, handlers: Mapping[str, StreamHandler], negotiate_timeout_s: float) -> None:
        self._handlers = handlers
        self._negotiate_timeout_s = negotiate_timeout_s
        self.refused = 0

    async def serve(self, muxed: MuxedStream, peer: PeerId, remote_addr: bytes | None) -> None:
        """Live with one inbound stream from its first byte to its end. Raises nothing but cancellation.

        A stream whose handler is done lingers in the multiplexer, not here: it waits, within bounds, for the remote's
        end, so that what was answered is never overtaken by a reset.
        """
        try:
            stream = await self._agree(muxed, peer, remote_addr)
            if stream is not None:
                await self._handlers[stream.protocol](stream)
                await stream.close()
                return
        except RemoteError as error:
            self.refused += 1
            logger.debug("stream from %s: %s", peer, error)
        except ChiralError as error:
            logger.warning("could not serve %s: %s", peer, error)
        except Exception:
            logger.exception("a handler failed on a stream from %s", peer)
        await muxed.reset()

    async def _agree(self, muxed: MuxedStream, peer: PeerId, remote_addr: bytes | None) -> HostStream | None:
        """The stream, once a protocol is agreed; where a request came with it the confirmation waits for the answer.

        None if the remote left before: it may have opened the stream only to hold the connection. Raises a
        `RemoteError`.
        """
        answering = Answering(self._handlers)
        with trio.move_on_after(self._negotiate_timeout_s):
            while True:
                data = await self._some(muxed, peer)
                if not data:
                    return None
                protocol = answering.take(data)
                if answering.rest and protocol is not None:
                    muxed.unread(answering.rest)
                    return HostStream(muxed, peer, protocol, remote_addr, outgoing=answering.words)
                if answering.words:
                    words, answering.words = answering.words, b""
                    await guarded(muxed.write(words), peer)
                if protocol is not None:
                    return HostStream(muxed, peer, protocol, remote_addr)
        raise RequestTimeoutError(f"no protocol named within {self._negotiate_timeout_s:g} s")

    @staticmethod
    async def _some(muxed: MuxedStream, peer: PeerId) -> bytes:
        """The next bytes, `b""` if the remote has ended or reset the stream."""
        try:
            return await guarded(muxed.read(_READ_BYTES), peer)
        except (MuxedStreamEOF, StreamResetError):
            return b""
