"""Blocks kept in memory before a slow store: the same promises, and only while the store has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.store.block_cache import ENTRY_BYTES, BlockCache
from chiral.store.cached_blockstore import CachedBlockstore
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from tests.contracts.blockstore import BlockstoreContract, numbered
from tests.fakes.memory_store import MemoryBlockstore

LIMIT_BYTES = 1 << 20
PACKED = Block.of(b"packed " * 2000)


class CountingBlockstore(MemoryBlockstore):
    """Counts reads; while `gate` is closed they wait behind what they read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.gate: trio.Event | None = None

    async def get(self, cid: CID) -> bytes | None:
        self.reads += 1
        data = await super().get(cid)
        if self.gate is not None:
            await self.gate.wait()
        return data


class TestCachedMemory(BlockstoreContract):
    @pytest.fixture
    def blockstore(self) -> CachedBlockstore:
        return CachedBlockstore(MemoryBlockstore(), LIMIT_BYTES)


class TestCachedPackedLmdb(BlockstoreContract):
    @pytest.fixture
    async def blockstore(self, tmp_path: Path) -> AsyncIterator[CachedBlockstore]:
        async with open_store(tmp_path / "cached", StoreSettings(durable=False)) as store:
            assert isinstance(store.blocks, CachedBlockstore)
            yield store.blocks


async def cache_of(blocks: CachedBlockstore) -> tuple[int, int, int]:
    """Blocks, hits and misses."""
    cache = (await blocks.stats()).cache
    assert cache is not None
    return cache.blocks, cache.hits, cache.misses


async def test_a_second_read_does_not_reach_the_store() -> None:
    inner = CountingBlockstore()
    cached = CachedBlockstore(inner, LIMIT_BYTES)
    block = Block.of(b"hot")
    await cached.put_many([block])
    for _ in range(4):
        assert await cached.get(block.cid) == b"hot"
    assert inner.reads == 1
    assert await cache_of(cached) == (1, 3, 1)
    stats = (await cached.stats()).cache
    assert stats is not None
    assert (stats.hit_rate, stats.limit_bytes) == (0.75, LIMIT_BYTES)


async def test_what_is_missing_is_asked_for_again() -> None:
    inner = CountingBlockstore()
    cached = CachedBlockstore(inner, LIMIT_BYTES)
    assert await cached.get(PACKED.cid) is None
    await inner.put_many([PACKED])
    assert await cached.get(PACKED.cid) == PACKED.data


async def test_what_is_deleted_while_it_is_read_does_not_come_back() -> None:
    inner = CountingBlockstore()
    cached = CachedBlockstore(inner, LIMIT_BYTES)
    await cached.put_many([PACKED])
    inner.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cached.get, PACKED.cid)
        await wait_all_tasks_blocked()
        await cached.delete_many([PACKED.cid])
        inner.gate.set()
    assert await cached.get(PACKED.cid) is None


async def test_only_what_is_costly_is_kept_of_lmdb(store: Store) -> None:
    plain = Block.of(b"short")
    await store.blocks.put_many([plain, PACKED])
    for block in (plain, PACKED, plain, PACKED):
        assert await store.blocks.get(block.cid) == block.data
    assert await cache_of(store.blocks) == (1, 1, 3)


async def test_a_block_removed_past_the_cache_is_not_served(store: Store) -> None:
    await store.blocks.put_many([PACKED])
    assert await store.blocks.get(PACKED.cid) == PACKED.data
    other = CachedBlockstore(store.blocks, LIMIT_BYTES)
    await other.delete_many([PACKED.cid])
    await store.blocks.put_many([PACKED])
    assert await store.blocks.get(PACKED.cid) == PACKED.data
    tables = store.environment.tables
    await store.environment.write(lambda txn: txn.delete(PACKED.cid.multihash, db=tables.packed))
    assert await store.blocks.get(PACKED.cid) is None


async def test_get_is_a_checkpoint_even_when_kept(store: Store) -> None:
    await store.blocks.put_many([PACKED])
    await store.blocks.get(PACKED.cid)
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.blocks.get(PACKED.cid)
    assert scope.cancelled_caught


async def test_without_a_cache(tmp_path: Path) -> None:
    async with open_store(tmp_path, StoreSettings(durable=False, cache_bytes=0)) as store:
        await store.blocks.put_many([PACKED])
        assert await store.blocks.get(PACKED.cid) == PACKED.data
        assert (await store.blocks.stats()).cache is None


def test_the_least_lately_used_leave() -> None:
    blocks = numbered(4, 100)
    cache = BlockCache(4 * (100 + ENTRY_BYTES))
    for block in blocks:
        cache.put(block.cid.multihash, bytes(block.data))
    assert cache.get(blocks[0].cid.multihash) == blocks[0].data
    cache.put(b"another", bytes(100))
    assert cache.get(blocks[1].cid.multihash) is None
    assert cache.get(blocks[0].cid.multihash) == blocks[0].data
    assert cache.stats().size_bytes == 4 * (100 + ENTRY_BYTES)


def test_the_sum_follows_what_comes_and_goes() -> None:
    cache = BlockCache(100_000)
    for size in (100, 5000, 200):
        cache.put(b"key", bytes(size))
    assert cache.stats().size_bytes == 200 + ENTRY_BYTES
    cache.discard(b"key")
    cache.discard(b"key")
    assert (cache.stats().size_bytes, cache.stats().blocks) == (0, 0)


def test_a_block_that_would_drive_out_too_many_is_not_kept() -> None:
    cache = BlockCache(4000)
    cache.put(b"large", bytes(1000))
    assert cache.get(b"large") is None
