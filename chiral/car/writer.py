"""The bytes of an archive, piece by piece, in the order they are to be written. Knows no file."""

from __future__ import annotations

from chiral.block.block import Block
from chiral.block.varint import encode_varint
from chiral.car.header import encode_header

__all__ = ["encode_header", "section", "section_bytes"]


def section(block: Block) -> tuple[bytes, bytes | bytearray | memoryview]:
    """A block's section: what goes before its bytes, and its bytes."""
    cid = block.cid.buffer
    return encode_varint(len(cid) + len(block.data)) + cid, block.data


def section_bytes(cid_bytes: int, data_bytes: int) -> int:
    """How long the section of a block is whose CID and data are so long."""
    inside = cid_bytes + data_bytes
    return len(encode_varint(inside)) + inside
