"""The links of a block, whatever its codec: pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from chiral.block.cid import CID, DAG_CBOR, DAG_JSON, DAG_PB, IDENTITY, RAW
from chiral.car.cbor_scan import scan_cbor
from chiral.dag.dag_pb import decode_node
from chiral.errors import InvalidCidError, MalformedContentError

_MAX_ITEMS = 1 << 22
"""More than a block of 2 MiB can hold."""
Data = bytes | bytearray | memoryview


def links_of(cid: CID, data: Data) -> list[CID]:
    """What the block `cid` with the bytes `data` links to, in order, repeats included.

    Raises `MalformedContentError` for a block that is not what its codec says, or of a codec whose links nobody here
    can read.
    """
    if cid.codec == RAW:
        return []
    try:
        if cid.codec == DAG_PB:
            return [link.cid for link in decode_node(data).links]
        if cid.codec == DAG_CBOR:
            return scan_cbor(bytes(data), max_items=_MAX_ITEMS, max_depth=_MAX_ITEMS)
        if cid.codec == DAG_JSON:
            return list(_json_links(bytes(data)))
    except MalformedContentError as error:
        raise MalformedContentError(f"{cid}: {error.message}") from error
    raise MalformedContentError(f"{cid} is {cid.codec_name}: what it links to cannot be read")


def is_inline(cid: CID) -> bool:
    """Whether the CID holds its block itself, so that none is stored or sent under it."""
    return cid.multihash[0] == IDENTITY


def _json_links(data: bytes) -> Iterator[CID]:
    try:
        waiting: list[Any] = [json.loads(data.decode())]
    except (ValueError, RecursionError) as error:
        raise MalformedContentError(f"not DAG-JSON: {error}"[:200]) from error
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(reversed(value))
        elif isinstance(value, dict):
            link = value.get("/")
            if len(value) == 1 and isinstance(link, str):
                yield _json_link(link)
            else:
                waiting.extend(reversed(value.values()))


def _json_link(text: str) -> CID:
    try:
        return CID.parse(text)
    except InvalidCidError as error:
        raise MalformedContentError(f"not DAG-JSON: {error.message}") from error
