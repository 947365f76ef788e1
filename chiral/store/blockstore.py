"""Blocks in LMDB, behind the `Blockstore` port: plain or compressed, within a quota.

Reading a block that is in memory takes LMDB 5 to 30 microseconds, sending it through a thread 100 to 200. So plain
blocks this process lately read or wrote are read where they are asked for, and all others in a thread, where a cold
page may wait for the disk, and a compressed block be undone, without stopping the node. A block taken to be in memory
that the system has dropped since costs the event loop that one disk read; `StoreSettings.hot_bytes` says how far the
guess goes, 0 turns it off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.errors import IntegrityError, StoreFullError
from chiral.interface.blockstore import BlockstoreStats, PackedStats
from chiral.store.block_counts import block_count, block_sizes, packed_count
from chiral.store.block_table import (
    Resting,
    delete_blocks,
    find_block,
    has_blocks,
    page_of_blocks,
    put_blocks,
    size_of_block,
)
from chiral.store.environment import Environment
from chiral.store.hot_set import HotSet
from chiral.store.packing import Packing, require_matches

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction, ViewTransaction

DELETE_BATCH_BLOCKS = 256
"""Deleted in one transaction: LMDB remembers each page it frees until the commit, and other writers wait meanwhile."""


class LmdbBlockstore:
    """The `Blockstore` of an environment.

    Raises `IntegrityError` for a damaged block where that is seen: always in a compressed one, in a plain one if
    `verify_on_read` is set, and in one to be stored if `verify_on_write` is.
    """

    def __init__(self, environment: Environment) -> None:
        settings = environment.settings
        self._environment = environment
        self._tables = environment.tables
        self._verify = settings.verify_on_read
        self._verify_writes = settings.verify_on_write
        self._quota = settings.quota_bytes
        self._packing = Packing(
            None if settings.compression == "none" else settings.compression, settings.compression_level
        )
        # Verifying takes longer than a thread hop, so then every read goes to a thread.
        self._hot = HotSet(0 if self._verify else settings.hot_bytes)

    def get_now(self, cid: CID) -> bytes | None:
        """The block's bytes without waiting, or None if it is not held or not taken to be in memory: then ask `get`."""
        key = cid.multihash
        if key not in self._hot:
            return None
        data = self._environment.read_now(lambda txn: txn.get(key, db=self._tables.blocks))
        if data is not None:
            self._hot.touch(key, len(data))
        return data

    def holds_now(self, cid: CID) -> bool:
        """Whether the block is held, asked without waiting: for one that was read lately."""
        return self._environment.read_now(lambda txn: has_blocks(txn, self._tables, [cid.multihash]))[0]

    def reads_at_once(self, cid: CID) -> bool:
        """Whether `get_now` would look for it."""
        return cid.multihash in self._hot

    async def get(self, cid: CID) -> bytes | None:
        await trio.lowlevel.checkpoint()
        data = self.get_now(cid)
        if data is None:
            data, packed = await self._environment.read(partial(self._get_verified, cid))
            if data is not None and not packed:
                self._hot.touch(cid.multihash, len(data))
        return data

    async def get_many(self, cids: Sequence[CID]) -> list[bytes | None]:
        return await self._environment.read(lambda txn: [self._get_verified(cid, txn)[0] for cid in cids])

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        keys = [cid.multihash for cid in cids]
        return await self._environment.read(lambda txn: has_blocks(txn, self._tables, keys))

    async def size(self, cid: CID) -> int | None:
        return (await self.sizes([cid]))[0]

    async def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        def look(txn: ViewTransaction) -> list[int | None]:
            return [size_of_block(txn, self._tables, cid.multihash) for cid in cids]

        return await self._environment.measure(look)

    async def put_many(self, blocks: Iterable[Block]) -> int:
        """As the port says. Data other than `bytes` must not change before this returns, so then cancelling waits."""
        batch = list(blocks)
        if self._verify_writes:
            await trio.to_thread.run_sync(require_matches, batch)
        frames = await self._packing.pack(batch)
        new = await self._environment.write(
            lambda txn: put_blocks(txn, self._tables, batch, frames, self._quota),
            size_bytes=sum(len(frames.get(index, block.data)) for index, block in enumerate(batch)),
            shield=not all(isinstance(block.data, bytes) for block in batch),
        )
        for index, block in enumerate(batch):
            if index not in frames:
                self._hot.touch(block.cid.multihash, len(block.data))
        return new

    async def delete_many(self, cids: Iterable[CID]) -> int:
        keys = [cid.multihash for cid in cids]
        count = start = 0
        step = DELETE_BATCH_BLOCKS
        while start < len(keys):
            part = keys[start : start + step]
            delete = partial(delete_blocks, tables=self._tables, keys=part)
            try:
                count += await self._environment.write(delete, grows=False)
            except StoreFullError:
                if step == 1:
                    raise
                step = max(step // 8, 1)  # few deletions need few pages, and what they free serves the next
                continue
            for key in part:
                self._hot.discard(key)
            start += len(part)
        return count

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[CID]:
        return await self._environment.read(lambda txn: page_of_blocks(txn, self._tables, after, limit))

    async def stats(self) -> BlockstoreStats:
        return await self._environment.read(self._stats)

    def _stats(self, txn: ReadTransaction) -> BlockstoreStats:
        sizes = block_sizes(txn, self._tables)
        ratio = sizes.packed_plain / sizes.packed_rest if sizes.packed_rest else 1.0
        packed = PackedStats(packed_count(txn, self._tables), sizes.packed_plain, sizes.packed_rest, round(ratio, 3))
        return BlockstoreStats(block_count(txn, self._tables), sizes.plain, sizes.rest, self._quota, packed)

    def _get_verified(self, cid: CID, txn: ReadTransaction) -> tuple[bytes | None, bool]:
        """The block, if it is held, and whether it rests compressed."""
        found = find_block(txn, self._tables, cid.multihash)
        if found is None:
            return None, False
        data = self._plain(cid, found)
        if self._verify and not cid.matches(data):
            raise _damaged(cid)
        return data, found.packed

    def _plain(self, cid: CID, found: Resting[bytes]) -> bytes:
        try:
            return self._packing.unpack(found.value) if found.packed else found.value
        except IntegrityError as error:
            raise _damaged(cid) from error


def _damaged(cid: CID) -> IntegrityError:
    return IntegrityError(
        f"block {cid} is damaged in the store", hint="'chiral verify --repair' takes it away and fetches it again"
    )
