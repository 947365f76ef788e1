"""Nodes of the Merkle DAG as bytes and back: links to other blocks, and data whose meaning is another module's.

Source: IPLD specification "DAG-PB". One value has one form: links come before data and are sorted by name, and what
decodes is only what could have been encoded, but for data that stands before the links in old blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.block.protobuf import ProtobufError, Value, as_bytes, as_int, as_text, bytes_field, fields, varint_field
from chiral.errors import InvalidCidError, MalformedContentError

_DATA, _LINKS = 1, 2
_HASH, _NAME, _TSIZE = 1, 2, 3
MAX_LINKS = 1 << 16
"""A block of 2 MiB holds fewer."""


@dataclass(frozen=True, slots=True)
class PbLink:
    """A link: `tsize` is what the linked block and all below it come to in bytes, a claim. Absent is not empty."""

    cid: CID
    name: str | None = None
    tsize: int | None = None


@dataclass(frozen=True, slots=True)
class PbNode:
    """A node's links in order, and its data, None where there is none."""

    links: tuple[PbLink, ...] = ()
    data: bytes | None = None


def encode_node(links: Iterable[PbLink], data: bytes | None) -> bytes:
    """The node of `links`, sorted here by the bytes of their names (equal ones stay in order), and `data`."""
    ordered = sorted(links, key=lambda link: (link.name or "").encode())
    parts = [bytes_field(_LINKS, _encode_link(link)) for link in ordered]
    if data is not None:
        parts.append(bytes_field(_DATA, data))
    return b"".join(parts)


def decode_node(block: bytes | bytearray | memoryview) -> PbNode:
    """The node in `block`; raises `MalformedContentError` if it is none."""
    try:
        return _decode_node(bytes(block))
    except ProtobufError as error:
        raise MalformedContentError(f"not a dag-pb node: {error}") from error


def _encode_link(link: PbLink) -> bytes:
    encoded = bytes_field(_HASH, link.cid.buffer)
    if link.name is not None:
        encoded += bytes_field(_NAME, link.name.encode())
    if link.tsize is not None:
        encoded += varint_field(_TSIZE, link.tsize)
    return encoded


def _decode_node(block: bytes) -> PbNode:
    links: list[PbLink] = []
    data: bytes | None = None
    links_ended = False
    for number, value in fields(block):
        if number == _DATA:
            if data is not None:
                raise ProtobufError("data twice")
            data = as_bytes(value, "data")
            links_ended = bool(links)
        elif number == _LINKS:
            if links_ended:
                raise ProtobufError("links after links and data")
            if len(links) >= MAX_LINKS:
                raise ProtobufError(f"over {MAX_LINKS} links")
            links.append(_decode_link(as_bytes(value, "a link")))
        else:
            raise ProtobufError(f"field {number}")
    return PbNode(tuple(links), data)


def _decode_link(encoded: bytes) -> PbLink:
    found: dict[int, Value] = {}
    last = 0
    for number, value in fields(encoded):
        if number <= last or number > _TSIZE:
            raise ProtobufError("a link with unknown, repeated or unordered fields")
        found[number] = value
        last = number
    if _HASH not in found:
        raise ProtobufError("a link without a CID")
    try:
        cid = CID.from_bytes(as_bytes(found[_HASH], "a link's CID"))
    except InvalidCidError as error:
        raise ProtobufError(f"a link whose CID is none: {error.message}") from error
    return PbLink(
        cid,
        as_text(found[_NAME], "a link's name") if _NAME in found else None,
        as_int(found[_TSIZE], "a link's size") if _TSIZE in found else None,
    )
