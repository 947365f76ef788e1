"""Blocks inside a transaction: how they are laid out in the tables, and the counter kept beside them.

A block's value is its bytes and nothing else, so that writing one needs no second copy of it; the codec of a block that
is not raw stands in a table of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from chiral.block.block import Block
from chiral.block.cid import CID, RAW
from chiral.block.varint import decode_varint, encode_varint

if TYPE_CHECKING:
    from chiral.store.schema import AnyTransaction, ReadTransaction, Tables, WriteTransaction

_SIZE_KEY = b"block_bytes"


def put_blocks(txn: WriteTransaction, tables: Tables, blocks: Sequence[Block]) -> int:
    """Write those blocks that are not there; returns how many were new. A known block keeps its first codec."""
    new = added = 0
    for block in blocks:
        key = block.cid.multihash
        if txn.put(key, block.data, overwrite=False, db=tables.blocks):
            new += 1
            added += len(block.data)
            if block.cid.codec != RAW:
                txn.put(key, encode_varint(block.cid.codec), db=tables.codecs)
    if added:
        _change_size(txn, tables, added)
    return new


def delete_blocks(txn: WriteTransaction, tables: Tables, keys: Iterable[bytes]) -> int:
    """Delete the blocks under the multihashes; returns how many there were."""
    count = removed = 0
    for key in keys:
        view = txn.get(key, db=tables.blocks)
        if view is not None:
            removed += len(view)
            count += 1
            txn.delete(key, db=tables.blocks)
            txn.delete(key, db=tables.codecs)
    if removed:
        _change_size(txn, tables, -removed)
    return count


def page_of_blocks(txn: ReadTransaction, tables: Tables, after: bytes, limit: int) -> list[CID]:
    """Up to `limit` CIDs in multihash order, those after multihash `after`."""
    found: list[CID] = []
    with txn.cursor(db=tables.blocks) as cursor:
        more = cursor.set_range(after) if after else cursor.first()
        if more and after and cursor.key() == after:
            more = cursor.next()
        while more and len(found) < limit:
            key = cursor.key()
            codec = txn.get(key, db=tables.codecs)
            found.append(CID(1, RAW if codec is None else decode_varint(codec)[0], key))
            more = cursor.next()
    return found


def block_count(txn: AnyTransaction, tables: Tables) -> int:
    """How many blocks are held."""
    return txn.stat(tables.blocks)["entries"]


def blocks_size(txn: AnyTransaction, tables: Tables) -> int:
    """The sum of the blocks' sizes in bytes."""
    return int.from_bytes(txn.get(_SIZE_KEY, b"", db=tables.meta), "big")


def _change_size(txn: WriteTransaction, tables: Tables, by: int) -> None:
    txn.put(_SIZE_KEY, (blocks_size(txn, tables) + by).to_bytes(8, "big"), db=tables.meta)
