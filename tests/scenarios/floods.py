"""Frames that a peer should not send: what an attacker writes on its connections."""

from __future__ import annotations

from collections.abc import Sequence

from chiral.exchange.codec import PROTOCOL as BLOCKS
from chiral.host.ping import PROTOCOL as PING_PROTOCOL
from chiral.yamux.frame import DATA, FIN, INITIAL_WINDOW_BYTES, MAX_UINT32, PING, RST, SYN, WINDOW_UPDATE, header

STREAMS = 100_000


def opening(protocol: str, stream_id: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """A stream opened, its protocol named and `payload` sent, all in one frame."""
    words = b"".join(bytes([len(word) + 1]) + word + b"\n" for word in (b"/multistream/1.0.0", protocol.encode()))
    return header(DATA, SYN | flags, stream_id, len(words) + len(payload)) + words + payload


def opened_and_reset() -> bytes:
    ids = range(1, 2 * STREAMS, 2)
    return b"".join(header(WINDOW_UPDATE, SYN, n, 0) + header(WINDOW_UPDATE, RST, n, 0) for n in ids)


def one_byte_frames(count: int, stream_id: int) -> bytes:
    return (header(DATA, 0, stream_id, 1) + b"x") * count


WITHIN = "one-byte frames within the window"
RULES = "rules broken"
FLOODS: dict[str, Sequence[bytes]] = {
    RULES: [
        header(DATA, SYN, 1, MAX_UINT32) + bytes(65_536),
        opening(PING_PROTOCOL, 1) + header(DATA, 0, 1, INITIAL_WINDOW_BYTES) + bytes(INITIAL_WINDOW_BYTES),
        header(WINDOW_UPDATE, SYN, 1, MAX_UINT32) + header(WINDOW_UPDATE, 0, 1, MAX_UINT32),
        header(WINDOW_UPDATE, SYN, 1, 0) + header(WINDOW_UPDATE, SYN, 1, 0),
        opening(BLOCKS, 1, b"x") + header(DATA, RST, 1, 0) + header(DATA, SYN, 1, 0),
        opening(BLOCKS, 1, b"x", FIN) + header(DATA, 0, 1, 1) + b"x",
        header(DATA, SYN, 2, 0),
        header(9, 0, 1, 0),
    ],
    "streams opened and reset": [opened_and_reset()],
    "pings": [b"".join(header(PING, SYN, 0, value) for value in range(STREAMS))],
}
"""What is written on a connection at once; of several the next on the next connection."""
