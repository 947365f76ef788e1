"""The protobuf wire format: fields of one message to bytes and back. Knows no message.

Source: Protocol Buffers encoding. Strict where that is safe: varints of at most ten bytes, no groups, no field zero,
nothing past the end. What a field means, and which type it must have, is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chiral.errors import ProtocolError

MAX_PROTOBUF_VARINT_BYTES = 10
MAX_FIELD_NUMBER = (1 << 29) - 1
_U64 = (1 << 64) - 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SHORT = tuple(bytes([value]) for value in range(0x80))
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


class ProtobufError(ProtocolError):
    """Bytes that are no protobuf message, or a field of another wire type than it must have."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value of four or eight bytes, little-endian."""

    raw: bytes


Value = int | bytes | Fixed


def write_varint(value: int) -> bytes:
    """The base-128 varint of `value`, 0 to 2^64-1 (`ValueError`)."""
    if 0 <= value <= 0x7F:
        return _SHORT[value]
    if not 0 <= value <= _U64:
        raise ValueError(f"{value} does not fit 64 bits")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """`(value, offset after it)`; raises `ProtobufError` if it ends short, or is over 64 bits or ten bytes."""
    if at < len(data) and data[at] < 0x80:
        return data[at], at + 1
    value = shift = 0
    for index in range(at, min(len(data), at + MAX_PROTOBUF_VARINT_BYTES)):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > _U64:
                raise ProtobufError("a varint over 64 bits")
            return value, index + 1
        shift += 7
    raise ProtobufError("a varint without end")


def varint_field(number: int, value: int) -> bytes:
    """A varint field; a negative `value` is written as 64 bits of two's complement, as protobuf writes an int32."""
    return write_varint(number << 3 | _VARINT) + write_varint(value & _U64)


def fixed32_field(number: int, value: int) -> bytes:
    """A field of four bytes."""
    return write_varint(number << 3 | _FIXED32) + value.to_bytes(4, "little")


def bytes_field(number: int, value: bytes) -> bytes:
    """A length-delimited field: bytes, text or a nested message."""
    return write_varint(number << 3 | _BYTES) + write_varint(len(value)) + value


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """`(field number, value)` in the order on the wire. Raises `ProtobufError` for bytes that are no message."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number <= MAX_FIELD_NUMBER:
            raise ProtobufError(f"field number {number}")
        if wire_type == _VARINT:
            value, at = read_varint(data, at)
            yield number, value
            continue
        length = _FIXED_BYTES.get(wire_type, -1)
        if wire_type == _BYTES:
            length, at = read_varint(data, at)
        if length < 0:
            raise ProtobufError(f"wire type {wire_type}")
        if length > len(data) - at:
            raise ProtobufError("a field runs past the end")
        raw = data[at : at + length]
        at += length
        yield number, raw if wire_type == _BYTES else Fixed(raw)


def as_int(value: Value, name: str) -> int:
    """The varint of field `name`; raises `ProtobufError` if it is of another wire type."""
    if not isinstance(value, int):
        raise ProtobufError(f"{name} is not a varint")
    return value


def as_bytes(value: Value, name: str) -> bytes:
    """The bytes of field `name`; raises `ProtobufError` if it is of another wire type."""
    if not isinstance(value, bytes):
        raise ProtobufError(f"{name} is not length-delimited")
    return value


def as_text(value: Value, name: str) -> str:
    """The text of field `name`; raises `ProtobufError` if it is of another wire type or not UTF-8."""
    try:
        return as_bytes(value, name).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError(f"{name} is not UTF-8") from error


def as_fixed32(value: Value, name: str) -> int:
    """The four bytes of field `name` as a number; raises `ProtobufError` if it is of another wire type."""
    if not isinstance(value, Fixed) or len(value.raw) != 4:
        raise ProtobufError(f"{name} is not four bytes")
    return int.from_bytes(value.raw, "little")


def int32(value: int) -> int:
    """The int32 that a varint's low 32 bits hold: protobuf readers cut longer ones off."""
    low = value & 0xFFFF_FFFF
    return low - (1 << 32) if low >= 1 << 31 else low


def int64(value: int) -> int:
    """The int64 that a varint of 64 bits holds."""
    return value - (1 << 64) if value >= 1 << 63 else value
