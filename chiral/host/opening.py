"""Opening a stream: in one flight where the peer is known to speak the protocol, else by asking for each in turn."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import trio

from chiral.errors import RequestTimeoutError, UnsupportedProtocolError
from chiral.host.connection import Connection
from chiral.host.multistream import HEADER, HEADER_NAME, line
from chiral.host.stream import HostStream, confirmation_of


async def open_stream(
    connection: Connection, protocols: Sequence[str], known: AbstractSet[str], timeout_s: float
) -> HostStream:
    """A stream on `connection` for the first of `protocols` that the peer speaks; `known` is what identify said.

    Where a protocol is known nothing is sent or awaited here: the words travel with the first write, and a refusal
    comes out of the first read as `UnsupportedProtocolError`. Else raises `UnsupportedProtocolError` at once,
    `RequestTimeoutError` or `StreamResetError`.
    """
    chosen = next((protocol for protocol in protocols if protocol in known), None)
    muxed = await connection.open()
    if chosen is not None:
        return HostStream(
            muxed,
            connection.peer,
            chosen,
            connection.addr,
            outgoing=HEADER + line(chosen),
            expecting=confirmation_of(chosen),
        )
    try:
        with trio.move_on_after(timeout_s):
            return await _ask_in_turn(connection, HostStream(muxed, connection.peer, "", connection.addr), protocols)
    except BaseException:
        with trio.CancelScope(shield=True):
            await muxed.reset()
        raise
    await muxed.reset()
    raise RequestTimeoutError(f"{connection.peer.short} did not agree on a protocol within {timeout_s:g} s")


async def _ask_in_turn(connection: Connection, stream: HostStream, protocols: Sequence[str]) -> HostStream:
    words = HEADER
    header: tuple[bytes, ...] = (HEADER_NAME.encode(),)
    for protocol in protocols:
        proposal = stream.proposing(protocol, words + line(protocol), (*header, protocol.encode()))
        try:
            await proposal.settle()
        except UnsupportedProtocolError:
            words, header = b"", ()
            stream = proposal
            continue
        return proposal
    raise UnsupportedProtocolError(f"{connection.peer.short} speaks none of {', '.join(protocols)}")
