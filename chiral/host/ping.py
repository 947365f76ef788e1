"""The ping protocol `/ipfs/ping/1.0.0`: 32 bytes there and back (libp2p specification, ping)."""

from __future__ import annotations

import secrets

import trio

from chiral.clock import Clock
from chiral.errors import ProtocolError, RequestTimeoutError, StreamResetError
from chiral.interface.peer import PeerId
from chiral.interface.streams import Stream, Streams

PROTOCOL = "/ipfs/ping/1.0.0"
PING_BYTES = 32
_IDLE_S = 60.0


async def serve_ping(stream: Stream) -> None:
    """Echo 32-byte messages until the remote ends the stream or is silent for a minute."""
    while True:
        with trio.move_on_after(_IDLE_S):
            payload = await _read_exactly(stream, PING_BYTES)
            if payload is not None:
                await stream.write(payload)
                continue
        return


async def ping(streams: Streams, clock: Clock, peer: PeerId, timeout_s: float) -> float:
    """Seconds a round trip to `peer` takes. Raises `RequestTimeoutError`, `ProtocolError` or as `Streams.open` does."""
    with trio.move_on_after(timeout_s):
        stream = await streams.open(peer, [PROTOCOL])
        try:
            seconds = await _round_trip(stream, clock)
            await stream.close()
            return seconds
        except BaseException:
            await stream.reset()
            raise
    raise RequestTimeoutError(f"{peer.short} did not answer a ping within {timeout_s:g} s")


async def _round_trip(stream: Stream, clock: Clock) -> float:
    payload = secrets.token_bytes(PING_BYTES)
    started = clock.monotonic()
    await stream.write(payload)
    answer = await _read_exactly(stream, PING_BYTES)
    if answer is None:
        raise StreamResetError(f"{stream.peer.short} closed a ping without an answer")
    if answer != payload:
        raise ProtocolError(f"{stream.peer.short} answered a ping with other bytes")
    return clock.monotonic() - started


async def _read_exactly(stream: Stream, count: int) -> bytes | None:
    """`count` bytes, or None at a clean end before the first; an end in between raises `ProtocolError`."""
    got = b""
    while len(got) < count:
        more = await stream.read(count - len(got))
        if not more:
            if got:
                raise ProtocolError("a ping ended short")
            return None
        got += more
    return got
