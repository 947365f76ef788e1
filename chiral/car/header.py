"""The headers of an archive: the roots of a version 1, and the frame that a version 2 puts around one.

Sources: IPLD specifications "CARv1" and "CARv2".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chiral.block.cid import CID
from chiral.block.varint import encode_varint
from chiral.car.cbor_scan import scan_cbor
from chiral.errors import InvalidCidError, MalformedContentError

MAX_HEADER_BYTES = 1 << 20
"""Some twenty thousand roots."""
_MAX_HEADER_ITEMS = 1 << 15
_MAX_HEADER_DEPTH = 4
_BYTES, _TEXT, _LIST, _SHORT = 2, 3, 4, 24
_LINK = b"\xd8\x2a"
V2_PRAGMA = bytes.fromhex("0aa16776657273696f6e02")
"""A version 1 header whose version is 2 and which has no roots: what every version 2 begins with."""
_V2_HEADER = struct.Struct("<16sQQQ")
V2_HEADER_BYTES = _V2_HEADER.size
V2_DATA_OFFSET = len(V2_PRAGMA) + V2_HEADER_BYTES


@dataclass(frozen=True, slots=True)
class V2Header:
    """Where in the file the inner archive and its index lie, in bytes; `index_offset` 0 means that there is none."""

    data_offset: int
    data_size: int
    index_offset: int = 0


def encode_header(roots: Sequence[CID]) -> bytes:
    """The header of a version 1 archive, with its length."""
    body = _body(roots)
    return encode_varint(len(body)) + body


def _body(roots: Sequence[CID]) -> bytes:
    """The one form that DAG-CBOR has for these roots and version 1."""
    parts = [b"\xa2", _head(_TEXT, 5), b"roots", _head(_LIST, len(roots))]
    for root in roots:
        parts += (_LINK, _head(_BYTES, len(root.buffer) + 1), b"\0", root.buffer)
    return b"".join([*parts, _head(_TEXT, 7), b"version\x01"])


def _head(kind: int, argument: int) -> bytes:
    """The head of an item of a major type, in its shortest form."""
    if argument < _SHORT:
        return bytes([kind << 5 | argument])
    size = next(size for size in range(4) if argument < 1 << (8 << size))
    return bytes([kind << 5 | _SHORT + size]) + argument.to_bytes(1 << size, "big")


def decode_header(encoded: bytes) -> tuple[CID, ...]:
    """The roots in a version 1 header, given without its length; raises `MalformedContentError`."""
    try:
        links = scan_cbor(encoded, max_items=_MAX_HEADER_ITEMS, max_depth=_MAX_HEADER_DEPTH)
    except MalformedContentError as error:
        raise MalformedContentError(f"not an archive: its header is {error.message}") from error
    return tuple(links) if encoded == _body(links) else _decode_unusual(encoded)


def _decode_unusual(encoded: bytes) -> tuple[CID, ...]:
    """One with other fields, or no header at all."""
    import dag_cbor  # loaded on use: it takes a tenth of a second, and nearly no archive needs it
    import multiformats

    try:
        body: Any = dag_cbor.decode(encoded)
    except Exception as error:  # the library raises errors of its own and of what it is built on
        raise MalformedContentError(f"not an archive: its header is not DAG-CBOR ({error})"[:200]) from error
    version = body.get("version") if isinstance(body, dict) else None
    if version != 1:
        raise MalformedContentError(f"not an archive of version 1 or 2: its header says {str(version)[:20]}")
    roots = body.get("roots")
    if not isinstance(roots, list) or not all(isinstance(root, multiformats.CID) for root in roots):
        raise MalformedContentError("an archive whose header has no list of roots")
    try:
        return tuple(CID.from_bytes(bytes(root)) for root in roots)
    except InvalidCidError as error:
        raise MalformedContentError(f"an archive with a root that cannot be used: {error.message}") from error


def encode_v2_header(header: V2Header) -> bytes:
    """The pragma and the header of a version 2 archive: what stands before the inner one."""
    return V2_PRAGMA + _V2_HEADER.pack(bytes(16), header.data_offset, header.data_size, header.index_offset)


def decode_v2_header(encoded: bytes | memoryview) -> V2Header:
    """The header that follows the pragma; raises `MalformedContentError`."""
    _, offset, size, index = _V2_HEADER.unpack(encoded)
    if offset < V2_DATA_OFFSET:
        raise MalformedContentError(f"an archive of version 2 whose data begins at byte {offset}, inside its header")
    if index and index < offset + size:
        raise MalformedContentError("an archive of version 2 whose index lies inside its data")
    return V2Header(offset, size, index)
