"""Which blocks a block names: the links of a node of any codec that Chiral reads. Pure; verifies no CID."""

from __future__ import annotations

import json
from typing import Any

from chiral.block.cid import CID, DAG_CBOR, DAG_JSON, DAG_PB, IDENTITY, RAW
from chiral.car.cbor_scan import scan_cbor
from chiral.dag.dag_pb import decode_node
from chiral.errors import InvalidCidError, MalformedContentError

_LINKED = frozenset({DAG_PB, DAG_CBOR, DAG_JSON})
_NO_LIMIT = 1 << 22
"""More items than a block of 2 MiB can hold."""
Block = bytes | bytearray | memoryview


def may_link(cid: CID) -> bool:
    """Whether a block of this codec can name others; one that cannot need not be read."""
    return cid.codec in _LINKED


def links_of(cid: CID, block: Block) -> list[CID]:
    """The CIDs that `block`, whose name is `cid`, links to, in order; those that hold their bytes themselves left out.

    None where the codec cannot link. Raises `MalformedContentError` if the block is not what the codec says.
    """
    return [link for link in every_link(cid, block) if not is_inline(link)] if may_link(cid) else []


def every_link(cid: CID, block: Block) -> list[CID]:
    """What `block`, whose name is `cid`, links to, in order, repeats and CIDs that hold their bytes included.

    Raises `MalformedContentError` for a block that is not what its codec says, or of a codec whose links nobody here
    can read.
    """
    if cid.codec == RAW:
        return []
    if not may_link(cid):
        raise MalformedContentError(f"{cid} is {cid.codec_name}: what it links to cannot be read")
    try:
        if cid.codec == DAG_PB:
            return [link.cid for link in decode_node(block).links]
        if cid.codec == DAG_CBOR:
            return scan_cbor(bytes(block), max_items=_NO_LIMIT, max_depth=_NO_LIMIT)
        return _json_links(bytes(block))
    except MalformedContentError as error:
        raise MalformedContentError(f"{cid}: {error.message}") from error


def is_inline(cid: CID) -> bool:
    """Whether the CID holds its block itself, so that none is stored or sent under it."""
    return cid.multihash[0] == IDENTITY


def _json_links(block: bytes) -> list[CID]:
    found: list[CID] = []
    try:
        waiting: list[Any] = [json.loads(block)]
        while waiting:
            item = waiting.pop()
            link = item.get("/") if isinstance(item, dict) and len(item) == 1 else None
            if isinstance(link, str):
                found.append(CID.parse(link))
            elif isinstance(item, dict):
                waiting.extend(reversed(item.values()))
            elif isinstance(item, list):
                waiting.extend(reversed(item))
    except (ValueError, RecursionError, InvalidCidError) as error:
        raise MalformedContentError(f"not DAG-JSON: {error}"[:200]) from error
    return found
