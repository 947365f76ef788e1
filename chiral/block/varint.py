"""Unsigned varints (LEB128) as the multiformats write them: minimal, at most nine bytes.

Source: multiformats/unsigned-varint.
"""

from __future__ import annotations

MAX_VARINT_BYTES = 9


class VarintError(ValueError):
    """Bytes that are not a minimal varint of at most nine bytes."""


def encode_varint(value: int) -> bytes:
    """The varint of `value`, which must be in 0 .. 2^63-1 (`ValueError`)."""
    if not 0 <= value < 1 << 63:
        raise ValueError(f"{value} does not fit a varint (0 to 2^63-1)")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data: bytes | bytearray | memoryview, offset: int = 0) -> tuple[int, int]:
    """`(value, offset after it)` of the varint at `offset`; raises `VarintError` if short, long or not minimal."""
    value = shift = 0
    for index in range(offset, min(len(data), offset + MAX_VARINT_BYTES)):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and index > offset:
                raise VarintError("varint is not minimal")
            return value, index + 1
        shift += 7
    if len(data) - offset >= MAX_VARINT_BYTES:
        raise VarintError(f"varint is longer than {MAX_VARINT_BYTES} bytes")
    raise VarintError("varint ends short")
