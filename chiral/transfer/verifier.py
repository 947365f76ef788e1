"""Holds fetched bytes against their CIDs and stores those that match, many at a time, in a worker thread."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chiral.block.block import Block
from chiral.interface.blockstore import Blockstore

_HASH_INLINE_BYTES = 16 * 1024


async def verify_and_store(blocks: Sequence[Block], store: Blockstore) -> list[bool]:
    """For each block whether its bytes are what its CID names; those that are have been stored durably.

    Raises `StoreError` or `InvalidCidError` (a hash that cannot be verified here).
    """
    if sum(map(len, blocks)) <= _HASH_INLINE_BYTES:
        verdicts = _verify(blocks)
    else:
        verdicts = await trio.to_thread.run_sync(_verify, blocks)
    good = [block for block, sound in zip(blocks, verdicts, strict=True) if sound]
    if good:
        await store.put_many(good)
    return verdicts


def _verify(blocks: Sequence[Block]) -> list[bool]:
    return [block.cid.matches(block.data) for block in blocks]
