"""The words of multistream-select 1.0: pure codec of its lines, and of an opening as one piece.

Source: libp2p specification, connections/README (multistream-select).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from chiral.block.varint import VarintError, decode_varint, encode_varint
from chiral.errors import ProtocolError

HEADER_NAME = "/multistream/1.0.0"
NOT_AVAILABLE = "na"
MAX_LINE_BYTES = 1024
MAX_LENGTH_BYTES = 2
"""The bytes of the longest length that is allowed."""


def line(word: str) -> bytes:
    """One message: varint length, the word, a newline."""
    body = word.encode() + b"\n"
    return encode_varint(len(body)) + body


HEADER = line(HEADER_NAME)
NA = line(NOT_AVAILABLE)


@lru_cache(maxsize=256)
def opening(protocol: str) -> bytes:
    """Header and proposal of `protocol` in one piece: what asks for it, and the very bytes that confirm it."""
    return HEADER + line(protocol)


@dataclass(frozen=True, slots=True)
class Line:
    """One message read: its word as bytes (a name need not be UTF-8) and where the next one starts."""

    word: bytes
    end: int


def read_line(buffer: bytes, offset: int = 0) -> Line | None:
    """The message at `offset`, or None while it is not all there; raises `ProtocolError` if it cannot become one."""
    try:
        length, start = decode_varint(buffer, offset)
    except VarintError as error:
        if len(buffer) - offset < MAX_LENGTH_BYTES and all(byte & 0x80 for byte in buffer[offset:]):
            return None
        raise ProtocolError(f"multistream length: {error}") from error
    if not 0 < length <= MAX_LINE_BYTES:
        raise ProtocolError(f"multistream message of {length} bytes")
    end = start + length
    if len(buffer) < end:
        return None
    if buffer[end - 1] != 0x0A:
        raise ProtocolError("multistream message does not end its line")
    return Line(buffer[start : end - 1], end)
