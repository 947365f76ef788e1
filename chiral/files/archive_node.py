"""Finds one value in a DAG by its path, going from block to block over links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import trio

from chiral.block.cid import CID, DAG_PB
from chiral.errors import NotFoundError, UsageError
from chiral.files.archive_blocks import BlockSource, inline_block
from chiral.files.archive_values import as_link, decode_block, encode_value
from chiral.pinning.links import is_inline

MAX_STEPS = 1024
_MAX_PLACE_DIGITS = 9
_NOTHING = object()
_NODE_FIELDS = frozenset({"Data", "Links"})


@dataclass(frozen=True, slots=True)
class _Place:
    """A value, and the block it stands in; `whole` if it is all of that block."""

    cid: CID
    value: Any
    whole: bool


async def read_value(root: CID, path: Sequence[str], source: BlockSource, codec: int) -> bytes:
    """What is at `path` below `root`, in `codec`: steps are keys and places in lists; a link leads to its block.

    In a dag-pb node a step that is not one of its fields is the name of a link. Raises `NotFoundError` where there is
    nothing, `MalformedContentError`, `UsageError` for a value that the codec has no form for, and what `source` raises.
    """
    if len(path) > MAX_STEPS:
        raise UsageError(f"a path of over {MAX_STEPS} steps")
    place = await _block(root, source)
    for step in path:
        place = _step(place, step)
        link = await trio.to_thread.run_sync(as_link, place.value)
        if link is not None:
            place = await _block(link, source)
    return await trio.to_thread.run_sync(encode_value, place.value, codec)


async def _block(cid: CID, source: BlockSource) -> _Place:
    cid.require_supported()
    if is_inline(cid):
        loaded = inline_block(cid)
    else:
        [found] = await source.load([cid])
        if found is None:
            raise NotFoundError(f"block {cid} is not here", hint="without --offline peers are asked for it")
        loaded = found
    return _Place(cid, await trio.to_thread.run_sync(decode_block, cid, loaded.data), whole=True)


def _step(place: _Place, step: str) -> _Place:
    if place.whole and place.cid.codec == DAG_PB and step not in _NODE_FIELDS:
        found = next((link["Hash"] for link in place.value["Links"] if link.get("Name") == step), _NOTHING)
    else:
        found = _inside(place.value, step)
    if found is _NOTHING:
        raise NotFoundError(f"there is no {step[:80]!r} in {place.cid}")
    return _Place(place.cid, found, whole=False)


def _inside(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, _NOTHING)
    is_place = isinstance(value, list) and len(step) <= _MAX_PLACE_DIGITS and step.isascii() and step.isdigit()
    return value[int(step)] if is_place and int(step) < len(value) else _NOTHING
