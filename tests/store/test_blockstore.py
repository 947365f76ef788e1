from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import lmdb
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.errors import IntegrityError
from chiral.store.blockstore import DELETE_BATCH_BLOCKS, LmdbBlockstore
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from tests.contracts.blockstore import BlockstoreContract, numbered


class TestLmdbBlockstore(BlockstoreContract):
    @pytest.fixture
    def blockstore(self, store: Store) -> LmdbBlockstore:
        return LmdbBlockstore(store.environment)


class TestLmdbBlockstoreWithoutHotReads(BlockstoreContract):
    @pytest.fixture
    async def blockstore(self, tmp_path: Path) -> AsyncIterator[LmdbBlockstore]:
        async with open_store(tmp_path / "cold", StoreSettings(durable=False, hot_bytes=0)) as store:
            yield LmdbBlockstore(store.environment)


async def test_blocks_survive_reopening(tmp_path: Path) -> None:
    blocks = numbered(50)
    async with open_store(tmp_path) as store:
        await store.blocks.put_many(blocks)
    async with open_store(tmp_path) as store:
        assert await store.blocks.get_many([b.cid for b in blocks]) == [b.data for b in blocks]
        assert (await store.blocks.stats()).size_bytes == 5000


async def test_only_blocks_lately_used_are_read_at_once(tmp_path: Path) -> None:
    settings = StoreSettings(durable=False, hot_bytes=64 << 10)
    blocks = numbered(5)
    async with open_store(tmp_path, settings) as store:
        held = LmdbBlockstore(store.environment)
        await held.put_many(blocks)  # each is charged 16 KiB, so the first has left
        assert held.get_now(blocks[0].cid) is None
        assert held.get_now(blocks[4].cid) == blocks[4].data
        assert await held.get(blocks[0].cid) == blocks[0].data
        assert held.get_now(blocks[0].cid) == blocks[0].data
        assert held.get_now(CID.of(b"missing")) is None
        await held.delete_many([blocks[0].cid])
        assert held.get_now(blocks[0].cid) is None


async def test_get_now_of_a_block_another_deleted(store: Store) -> None:
    block = Block.of(b"deleted behind the back of the hot set")
    held = LmdbBlockstore(store.environment)
    await held.put_many([block])
    await LmdbBlockstore(store.environment).delete_many([block.cid])
    assert held.get_now(block.cid) is None
    assert await held.get(block.cid) is None


async def test_get_is_a_checkpoint_even_when_hot(store: Store) -> None:
    block = Block.of(b"hot")
    await store.blocks.put_many([block])
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.blocks.get(block.cid)
    assert scope.cancelled_caught


async def test_many_deletions_go_in_slices(store: Store) -> None:
    blocks = numbered(DELETE_BATCH_BLOCKS * 2 + 5, size=4)
    await store.blocks.put_many(blocks)
    assert await store.blocks.delete_many([block.cid for block in blocks]) == len(blocks)
    assert (await store.blocks.stats()).blocks == 0


async def test_a_damaged_block_is_found_when_verifying(tmp_path: Path) -> None:
    good, damaged = Block.of(b"good"), CID.of(b"what it should be")
    settings = StoreSettings(durable=False, verify_on_read=True)
    async with open_store(tmp_path, settings) as store:
        await store.blocks.put_many([good, Block(damaged, b"what it is")])
        assert await store.blocks.get(good.cid) == b"good"
        assert await store.blocks.get_many([good.cid]) == [b"good"]
        with pytest.raises(IntegrityError, match=str(damaged)):
            await store.blocks.get(damaged)
        with pytest.raises(IntegrityError):
            await store.blocks.get_many([good.cid, damaged])


async def test_a_cancelled_put_of_a_reused_buffer_stores_what_it_named(store: Store) -> None:
    buffer = bytearray(b"x" * 300_000)
    block = Block.of(buffer)

    async def put_and_be_cancelled(scope: trio.CancelScope) -> None:
        with scope:
            await store.blocks.put_many([block])
        buffer[:] = b"y" * len(buffer)

    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()
        nursery.start_soon(put_and_be_cancelled, scope)
        await wait_all_tasks_blocked()
        scope.cancel()
    got = await store.blocks.get(block.cid)
    assert got is None or block.cid.matches(got)


async def test_many_at_once(store: Store) -> None:
    blocks = numbered(400, size=2000)

    async def put_then_get(part: list[Block]) -> None:
        for block in part:
            await store.blocks.put_many([block])
            assert await store.blocks.get(block.cid) == block.data
            assert await store.blocks.get_many([block.cid]) == [block.data]

    async with trio.open_nursery() as nursery:
        for start in range(16):
            nursery.start_soon(put_then_get, blocks[start::16])
    assert (await store.blocks.stats()).blocks == 400


async def test_what_is_read_is_a_copy_that_outlives_the_store(tmp_path: Path) -> None:
    block = numbered(1, size=300_000)[0]
    async with open_store(tmp_path) as store:
        await store.blocks.put_many([block])
        kept = [await store.blocks.get(block.cid), *await store.blocks.get_many([block.cid])]
        await store.blocks.delete_many([block.cid])
    assert kept == [block.data, block.data]


async def test_no_reader_stays_in_the_table(store: Store, tmp_path: Path) -> None:
    blocks = numbered(20)
    await store.blocks.put_many(blocks)
    for _ in range(3):
        await store.blocks.get_many([block.cid for block in blocks])
        await store.blocks.page()
    environment: lmdb.Environment = store.environment._lmdb
    # A slot may stay for a thread, but its transaction column then shows none.
    assert all(line.split()[-1] == "-" for line in environment.readers().splitlines()[1:])
