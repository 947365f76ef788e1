"""What the data of a dag-pb node means in UnixFS: a piece of a file, a directory, a shard of one, a symbolic link.

Source: UnixFS specification, "Data". Encoding writes what Kubo writes, to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from chiral.block.protobuf import (
    ProtobufError,
    Value,
    as_bytes,
    as_fixed32,
    as_int,
    bytes_field,
    fields,
    fixed32_field,
    int64,
    read_varint,
    varint_field,
)
from chiral.errors import MalformedContentError

MURMUR3_X64_64 = 0x22
"""The hash of sharded directories, by its multihash code."""
MAX_NANOSECONDS = 999_999_999
_TYPE, _DATA, _FILE_SIZE, _BLOCK_SIZES, _HASH_TYPE, _FANOUT, _MODE, _MTIME = range(1, 9)
_SECONDS, _NANOSECONDS = 1, 2


class NodeType(IntEnum):
    """What a node is."""

    RAW = 0
    DIRECTORY = 1
    FILE = 2
    METADATA = 3
    SYMLINK = 4
    HAMT_SHARD = 5


@dataclass(frozen=True, slots=True)
class ModifiedTime:
    """Unix seconds, and nanoseconds of that second, None where they are not told."""

    seconds: int
    nanoseconds: int | None = None


@dataclass(frozen=True, slots=True)
class UnixFsData:
    """The fields of a node. `file_size` and `block_sizes` are in bytes and claims; `mode` is POSIX permission bits."""

    type: NodeType
    data: bytes | None = None
    file_size: int | None = None
    block_sizes: tuple[int, ...] = ()
    hash_type: int | None = None
    fanout: int | None = None
    mode: int | None = None
    mtime: ModifiedTime | None = None


def encode_unixfs(node: UnixFsData) -> bytes:
    """The data field of a dag-pb node."""
    parts = [varint_field(_TYPE, node.type)]
    if node.data is not None:
        parts.append(bytes_field(_DATA, node.data))
    if node.file_size is not None:
        parts.append(varint_field(_FILE_SIZE, node.file_size))
    parts += [varint_field(_BLOCK_SIZES, size) for size in node.block_sizes]
    for number, value in ((_HASH_TYPE, node.hash_type), (_FANOUT, node.fanout), (_MODE, node.mode)):
        if value is not None:
            parts.append(varint_field(number, value))
    if node.mtime is not None:
        parts.append(bytes_field(_MTIME, _encode_mtime(node.mtime)))
    return b"".join(parts)


def decode_unixfs(data: bytes | None) -> UnixFsData:
    """The node that a dag-pb node's data describes; raises `MalformedContentError` if that is not UnixFS."""
    if data is None:
        raise MalformedContentError("not UnixFS: a dag-pb node without data")
    try:
        return _decode(data)
    except ProtobufError as error:
        raise MalformedContentError(f"not UnixFS: {error}") from error


def _decode(data: bytes) -> UnixFsData:
    found: dict[int, Value] = {}
    sizes: list[int] = []
    for number, value in fields(data):
        if number == _BLOCK_SIZES:
            sizes += _block_sizes(value)
        else:
            found[number] = value
    if _TYPE not in found:
        raise ProtobufError("no type")
    kind = as_int(found[_TYPE], "type")
    if kind not in NodeType.__members__.values():
        raise ProtobufError(f"unknown type {kind}")
    numbers = {n: as_int(found[n], "a number") for n in (_FILE_SIZE, _HASH_TYPE, _FANOUT, _MODE) if n in found}
    return UnixFsData(
        NodeType(kind),
        as_bytes(found[_DATA], "data") if _DATA in found else None,
        numbers.get(_FILE_SIZE),
        tuple(sizes),
        numbers.get(_HASH_TYPE),
        numbers.get(_FANOUT),
        numbers.get(_MODE),
        _decode_mtime(as_bytes(found[_MTIME], "mtime")) if _MTIME in found else None,
    )


def _block_sizes(value: Value) -> list[int]:
    if not isinstance(value, bytes):
        return [as_int(value, "a block's size")]
    sizes, at = [], 0  # packed, as newer writers may
    while at < len(value):
        size, at = read_varint(value, at)
        sizes.append(size)
    return sizes


def _encode_mtime(mtime: ModifiedTime) -> bytes:
    encoded = varint_field(_SECONDS, mtime.seconds)
    if mtime.nanoseconds is not None:
        encoded += fixed32_field(_NANOSECONDS, mtime.nanoseconds)
    return encoded


def _decode_mtime(encoded: bytes) -> ModifiedTime:
    found = dict(fields(encoded))
    if _SECONDS not in found:
        raise ProtobufError("a modification time without seconds")
    nanoseconds = as_fixed32(found[_NANOSECONDS], "nanoseconds") if _NANOSECONDS in found else None
    if nanoseconds is not None and nanoseconds > MAX_NANOSECONDS:
        raise ProtobufError("nanoseconds over a second")
    return ModifiedTime(int64(as_int(found[_SECONDS], "seconds")), nanoseconds)
