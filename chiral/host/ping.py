"""The ping protocol `/ipfs/ping/1.0.0`: 32 bytes there and back (libp2p specification, ping)."""

from __future__ import annotations

import secrets

import trio

from chiral.clock import Clock
from chiral.errors import ProtocolError, RequestTimeoutError
from chiral.interface.peer import PeerId
from chiral.interface.streams import Stream, Streams

PROTOCOL = "/ipfs/ping/1.0.0"
PING_BYTES = 32
_IDLE_S = 60.0


async def serve_ping(stream: Stream) -> None:
    """Echo 32-byte messages until the remote ends the stream or is silent for a minute."""
    while True:
        with trio.move_on_after(_IDLE_S) as idle:
            payload = await _read_exactly(stream, PING_BYTES)
        if idle.cancelled_caught or payload is None:
            return
        await stream.write(payload)


async def ping(streams: Streams, clock: Clock, peer: PeerId, timeout_s: float) -> float:
    """Seconds a round trip to `peer` takes. Raises `RequestTimeoutError`, `ProtocolError` or as `Streams.open` does."""
    with trio.move_on_after(timeout_s):
        stream = await streams.open(peer, [PROTOCOL])
        try:
            payload = secrets.token_bytes(PING_BYTES)
            started = clock.monotonic()
            await stream.write(payload)
            answer = await _read_exactly(stream, PING_BYTES)
            if answer != payload:
                raise ProtocolError(f"{peer.short} answered a ping with other bytes")
            return clock.monotonic() - started
        finally:
            with trio.CancelScope(shield=True):
                await stream.reset()
    raise RequestTimeoutError(f"{peer.short} did not answer a ping within {timeout_s:g} s")


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
