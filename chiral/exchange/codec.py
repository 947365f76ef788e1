"""The words of `/chiral/blocks/1.0.0`: bincode 1.3 of a request and of its answer. Does no I/O and verifies no block.

Request `{cid}`: u64 little-endian length, CID bytes. Answer `Option<Vec<u8>>`: `00`, or `01`, u64 little-endian length,
data. Bytes after a valid value are tolerated when read and never written. Source: seed 001, `interop/spec/`; vectors by
the Rust crates it names.
"""

from __future__ import annotations

from chiral.block.cid import CID
from chiral.errors import InvalidCidError, ProtocolError

PROTOCOL = "/chiral/blocks/1.0.0"
_LENGTH_BYTES = 8
NOT_HELD = b"\x00"
ANSWER_HEAD_BYTES = 1 + _LENGTH_BYTES


def encode_request(cid: CID) -> bytes:
    """The request for `cid`."""
    buffer = cid.buffer
    return len(buffer).to_bytes(_LENGTH_BYTES, "little") + buffer


def decode_request(data: bytes) -> CID:
    """The CID asked for; raises `ProtocolError`."""
    if len(data) < _LENGTH_BYTES:
        raise ProtocolError(f"request of {len(data)} bytes ends short of its length")
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    if length > len(data) - _LENGTH_BYTES:
        raise ProtocolError(f"request names {length} bytes and holds {len(data) - _LENGTH_BYTES}")
    try:
        # Bytes may follow the CID inside its length: the Rust crates read a CID off the front and look no further.
        cid, _ = CID.read_from(data[_LENGTH_BYTES : _LENGTH_BYTES + length])
    except InvalidCidError as error:
        raise ProtocolError(f"request for something that is not a CID: {error.message}") from error
    return cid


def answer_head(size: int) -> bytes:
    """What goes before `size` bytes of data in an answer."""
    return b"\x01" + size.to_bytes(_LENGTH_BYTES, "little")


def decode_answer(data: bytes | bytearray | memoryview) -> memoryview | None:
    """The data answered (a view, not a copy), or None where the peer does not hold it; raises `ProtocolError`."""
    view = memoryview(data)
    if not view:
        raise ProtocolError("empty answer")
    if view[0] == 0:
        return None
    if view[0] != 1:
        raise ProtocolError(f"answer starts with {view[0]:#04x}")
    if len(view) < ANSWER_HEAD_BYTES:
        raise ProtocolError("answer ends short of its length")
    length = int.from_bytes(view[1:ANSWER_HEAD_BYTES], "little")
    if length > len(view) - ANSWER_HEAD_BYTES:
        raise ProtocolError(f"answer names {length} bytes and holds {len(view) - ANSWER_HEAD_BYTES}")
    return view[ANSWER_HEAD_BYTES : ANSWER_HEAD_BYTES + length]
