"""Blocks inside a transaction: how they are laid out in the tables, and the sums kept beside them.

A plain block's value is its bytes and nothing else, so that writing one needs no second copy of it. A compressed one
lies in a table of its own, as a frame of `encoding.compression_frame`; the codec of one that is not raw in another.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

from chiral.block.block import Block
from chiral.block.cid import CID, RAW
from chiral.block.varint import decode_varint, encode_varint
from chiral.encoding.compression_frame import plain_size
from chiral.errors import IntegrityError
from chiral.store.block_counts import BlockSizes, block_sizes, change_sizes, packed_count
from chiral.store.room import over_quota

if TYPE_CHECKING:
    import lmdb
    from lmdb import _Database

    from chiral.store.schema import AnyTransaction, ReadTransaction, Tables, ViewTransaction, WriteTransaction

V = TypeVar("V", bytes, memoryview)
_NOT_PACKED: Mapping[int, bytes] = {}


@dataclass(frozen=True, slots=True)
class Resting(Generic[V]):
    """A block as it rests: its bytes, or its frame if it is `packed`."""

    value: V
    packed: bool


def put_blocks(
    txn: WriteTransaction,
    tables: Tables,
    blocks: Sequence[Block],
    frames: Mapping[int, bytes] = _NOT_PACKED,
    quota_bytes: int = 0,
) -> int:
    """Write those blocks that are not there; returns how many were new. A known block keeps its form and first codec.

    `frames` gives, by index, what is written compressed. Raises `StoreFullError` if that would be over the quota (0:
    there is none); the transaction is to be dropped then.
    """
    if quota_bytes:
        _require_quota(txn, tables, blocks, frames, quota_bytes)
    new = 0
    change = BlockSizes()
    any_packed = packed_count(txn, tables) > 0
    for index, block in enumerate(blocks):
        key = block.cid.multihash
        frame = frames.get(index)
        if frame is None:
            known = any_packed and txn.get(key, db=tables.packed) is not None
            known = known or not txn.put(key, block.data, overwrite=False, db=tables.blocks)
        else:
            known = txn.get(key, db=tables.blocks) is not None
            known = known or not txn.put(key, frame, overwrite=False, db=tables.packed)
        if not known:
            new += 1
            change.add(len(block.data), None if frame is None else len(frame))
            if block.cid.codec != RAW:
                txn.put(key, encode_varint(block.cid.codec), db=tables.codecs)
    change_sizes(txn, tables, change)
    return new


def delete_blocks(txn: WriteTransaction, tables: Tables, keys: Iterable[bytes]) -> int:
    """Delete the blocks under the multihashes; returns how many there were."""
    count = 0
    change = BlockSizes()
    for key in keys:
        view = txn.get(key, db=tables.blocks)
        packed = view is None
        if packed:
            view = txn.get(key, db=tables.packed)
        if view is None:
            continue
        count += 1
        change.add(_plain_size(view, packed), len(view) if packed else None, sign=-1)
        txn.delete(key, db=tables.packed if packed else tables.blocks)
        txn.delete(key, db=tables.codecs)
    change_sizes(txn, tables, change)
    return count


def find_block(txn: lmdb.Transaction[V], tables: Tables, key: bytes) -> Resting[V] | None:
    """The block under the multihash, as it rests."""
    value = txn.get(key, db=tables.blocks)
    if value is not None:
        return Resting(value, packed=False)
    value = txn.get(key, db=tables.packed)
    return None if value is None else Resting(value, packed=True)


def has_blocks(txn: ReadTransaction, tables: Tables, keys: Iterable[bytes]) -> list[bool]:
    """For each multihash whether its block is held."""
    with txn.cursor(db=tables.blocks) as plain, txn.cursor(db=tables.packed) as packed:
        return [plain.set_key(key) or packed.set_key(key) for key in keys]


def size_of_block(txn: ViewTransaction, tables: Tables, key: bytes) -> int | None:
    """The plain size in bytes of the block under the multihash; what a damaged one takes."""
    found = find_block(txn, tables, key)
    if found is None:
        return None
    return _plain_size(found.value, found.packed) or len(found.value)


def codec_of_block(txn: AnyTransaction, tables: Tables, key: bytes) -> int:
    """The codec of the block under the multihash, which is held."""
    codec = txn.get(key, db=tables.codecs)
    return RAW if codec is None else decode_varint(codec)[0]


def keys_of_blocks(txn: AnyTransaction, tables: Tables, after: bytes) -> Iterator[bytes]:
    """The multihashes of all blocks, those after `after`, in order. Only within the transaction, and while it writes
    nothing.
    """
    yield from heapq.merge(_keys(txn, tables.blocks, after), _keys(txn, tables.packed, after))


def page_of_blocks(txn: ReadTransaction, tables: Tables, after: bytes, limit: int) -> list[CID]:
    """Up to `limit` CIDs in multihash order, those after multihash `after`."""
    keys = list(islice(keys_of_blocks(txn, tables, after), limit))
    return [CID(1, codec_of_block(txn, tables, key), key) for key in keys]


def _keys(txn: AnyTransaction, table: _Database, after: bytes) -> Iterator[bytes]:
    with txn.cursor(db=table) as cursor:
        more = cursor.set_range(after) if after else cursor.first()
        if more and after and cursor.key() == after:
            more = cursor.next()
        while more:
            yield bytes(cursor.key())
            more = cursor.next()


def _require_quota(
    txn: WriteTransaction, tables: Tables, blocks: Sequence[Block], frames: Mapping[int, bytes], quota_bytes: int
) -> None:
    rest = block_sizes(txn, tables).rest
    sizes = {block.cid.multihash: len(frames.get(index, block.data)) for index, block in enumerate(blocks)}
    if rest + sum(sizes.values()) <= quota_bytes:
        return
    new = sum(
        size
        for key, size in sizes.items()
        if txn.get(key, db=tables.blocks) is None and txn.get(key, db=tables.packed) is None
    )
    if new and rest + new > quota_bytes:
        raise over_quota(rest, new, quota_bytes)


def _plain_size(view: bytes | memoryview, packed: bool) -> int:
    """The plain size of a resting block; what a damaged frame had is not known."""
    try:
        return plain_size(view) if packed else len(view)
    except IntegrityError:
        return 0
