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
            await self._handlers[stream.protocol](stream)
            await stream.close()
        except RemoteError as error:
            self.refused += 1
            logger.debug("stream from %s: %s", peer, error)
        except ChiralError as error:
            logger.warning("could not serve %s: %s", peer, error)
        except Exception:
            logger.exception("a handler failed on a stream from %s", peer)
        else:
            return
        await muxed.reset()

    async def _agree(self, muxed: MuxedStream, peer: PeerId, remote_addr: bytes | None) -> HostStream:
        """The stream, once a protocol is agreed; the confirmation waits for the first write where nobody waits for it.

        Raises a `RemoteError`.
        """
        answering = Answering(self._handlers)
        with trio.move_on_after(self._negotiate_timeout_s):
            while True:
                protocol = answering.take(await self._some(muxed, peer))
                if protocol is not None:
                    if answering.rest:
                        muxed.unread(answering.rest)
                    return HostStream(muxed, peer, protocol, remote_addr, outgoing=answering.words)
                if answering.words:
                    words, answering.words = answering.words, b""
                    await guarded(muxed.write(words), peer)
        raise RequestTimeoutError(f"no protocol named within {self._negotiate_timeout_s:g} s")

    @staticmethod
    async def _some(muxed: MuxedStream, peer: PeerId) -> bytes:
        try:
            return await guarded(muxed.read(_READ_BYTES), peer)
        except MuxedStreamEOF as error:
            raise StreamResetError("the stream ended before a protocol was agreed") from error
