"""Opening a stream: in one flight where the peer is known to speak the protocol, else by asking for each in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import trio

from chiral.errors import RequestTimeoutError, StreamResetError, UnsupportedProtocolError
from chiral.host.connection import Connection, ConnectionLostError
from chiral.host.negotiation import Proposal
from chiral.host.stream import HostStream, MuxedStream
from chiral.interface.peer import PeerId


class StreamOpener:
    """Opens streams on connections. `refused` is told of each protocol that a peer does not speak after all."""

    def __init__(self, refused: Callable[[PeerId, str], None], timeout_s: float) -> None:
        self._refused = refused
        self._timeout_s = timeout_s

    async def open(self, connection: Connection, protocols: Sequence[str], known: AbstractSet[str]) -> HostStream:
        """A stream on `connection` for the first of `protocols` that the peer speaks; `known` is what identify said.

        A single protocol that is known goes unasked: nothing is sent or awaited here, the words travel with the first
        write, and a refusal comes out of the first read as `UnsupportedProtocolError`. Of several the peer is always
        asked, because what identify said may be out of date and the caller must know which one it speaks.

        Raises `UnsupportedProtocolError`, `RequestTimeoutError`, `ConnectionLostError`, `StreamResetError`.
        """
        muxed = await connection.open()
        if len(protocols) == 1 and protocols[0] in known:
            return self._stream(connection, muxed, protocols[0])
        try:
            with trio.move_on_after(self._timeout_s):
                return await self._ask_in_turn(connection, muxed, protocols)
            raise RequestTimeoutError(f"{connection.peer.short} did not agree on a protocol in {self._timeout_s:g} s")
        except StreamResetError as error:
            await muxed.reset()
            if connection.alive:
                raise
            raise ConnectionLostError(error.message) from error
        except BaseException:
            await muxed.reset()
            raise

    async def _ask_in_turn(self, connection: Connection, muxed: MuxedStream, protocols: Sequence[str]) -> HostStream:
        greeted = False
        for protocol in protocols:
            stream = self._stream(connection, muxed, protocol, greeted=greeted)
            try:
                await stream.settle()
            except UnsupportedProtocolError:
                greeted = True
                continue
            return stream
        raise UnsupportedProtocolError(f"{connection.peer.short} speaks none of {', '.join(protocols)}")

    def _stream(
        self, connection: Connection, muxed: MuxedStream, protocol: str, *, greeted: bool = False
    ) -> HostStream:
        proposal = Proposal(protocol, greeted=greeted)
        return HostStream(muxed, connection.peer, protocol, connection.addr, proposal=proposal, refused=self._refused)
