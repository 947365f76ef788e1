"""Inbound dispatch: agrees on a protocol with a remote that opened a stream, and hands the stream to who serves it.

Nothing a remote sends here, and no fault of a handler, reaches further than its own stream.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import trio
from libp2p.exceptions import BaseLibp2pError

from chiral.errors import ChiralError, RemoteError, RequestTimeoutError
from chiral.host.negotiation import Answering
from chiral.host.stream import HostStream, MuxedStream, guarded
from chiral.interface.peer import PeerId
from chiral.interface.streams import StreamHandler

logger = logging.getLogger(__name__)

_READ_BYTES = 16 * 1024


class _LeftError(Exception):
    """The remote ended or reset a stream on which no protocol was agreed."""


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
            # What was agreed on may be served no longer by the time the remote has heard so.
            handler = self._handlers.get(stream.protocol) if stream is not None else None
            if stream is not None and handler is not None:
                await handler(stream)
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
        try:
            # Nearly always the whole opening is there, and a deadline costs more than all the rest of this.
            protocol = await self._hear(answering, muxed, peer) if muxed.peek_buffered(1) else None
            if protocol is None:
                with trio.fail_after(self._negotiate_timeout_s):
                    while protocol is None:
                        protocol = await self._hear(answering, muxed, peer)
        except _LeftError:
            return None
        except trio.TooSlowError as error:
            raise RequestTimeoutError(f"no protocol named within {self._negotiate_timeout_s:g} s") from error
        if answering.rest:
            muxed.unread(answering.rest)
        return HostStream(muxed, peer, protocol, remote_addr, outgoing=answering.words)

    @staticmethod
    async def _hear(answering: Answering, muxed: MuxedStream, peer: PeerId) -> str | None:
        """Take in what the remote says next, and answer unless a request came with it; the protocol once it is agreed.

        Raises `_LeftError` if the remote has ended or reset the stream.
        """
        try:
            protocol = answering.take(await muxed.read(_READ_BYTES))
        except BaseLibp2pError as error:
            raise _LeftError from error
        if answering.words and (protocol is None or not answering.rest):
            words, answering.words = answering.words, b""
            await guarded(muxed.write(words), peer)
        return protocol
