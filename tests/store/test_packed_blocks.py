"""Blocks that rest compressed: the same promises, less room, and plain ones exactly as they were."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import lmdb
import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.encoding import compression_frame
from chiral.errors import IntegrityError
from chiral.store.block_table import find_block
from chiral.store.blockstore import LmdbBlockstore
from chiral.store.packing import PROBED_INLINE_BLOCKS
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from tests.contracts.blockstore import BlockstoreContract

RANDOM = random.Random(6).randbytes(1 << 16)


def settings(compression: str, **more: Any) -> StoreSettings:
    return StoreSettings.model_validate({"durable": False, "compression": compression, **more})


class PackedContract(BlockstoreContract):
    """The contract where whatever shrinks at all is packed, the smallest blocks too."""

    compression = "zstd"

    @pytest.fixture
    async def blockstore(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LmdbBlockstore]:
        monkeypatch.setattr(compression_frame, "LEAST_BYTES", 0)
        async with open_store(tmp_path / "packed", settings(self.compression)) as store:
            blocks = LmdbBlockstore(store.environment)
            await blocks.put_many([Block.of(b"z" * 400)])
            assert (await packed_of(blocks)).blocks == 1
            await blocks.delete_many([CID.of(b"z" * 400)])
            yield blocks


class TestZstd(PackedContract):
    pass


class TestLz4(PackedContract):
    compression = "lz4"


class TestGzip(PackedContract):
    compression = "gzip"


async def packed_of(blocks: Any) -> Any:
    """The figures of what is compressed."""
    stats = await blocks.stats()
    assert stats.packed is not None
    return stats.packed


async def test_the_sums_tell_plain_and_resting_sizes(store: Store) -> None:
    shrinks, stays = Block.of(b"line\n" * 10_000), Block.of(RANDOM)
    await store.blocks.put_many([shrinks, stays])
    stats = await store.blocks.stats()
    assert (stats.blocks, stats.size_bytes) == (2, 50_000 + len(RANDOM))
    assert stats.packed is not None
    assert (stats.packed.blocks, stats.packed.plain_bytes) == (1, 50_000)
    assert stats.rest_bytes == len(RANDOM) + stats.packed.rest_bytes
    assert stats.packed.rest_bytes < 1000
    assert stats.packed.ratio == round(50_000 / stats.packed.rest_bytes, 3)
    await store.blocks.delete_many([shrinks.cid, stays.cid])
    empty = await store.blocks.stats()
    assert (empty.blocks, empty.size_bytes, empty.rest_bytes, await packed_of(store.blocks)) == (
        0,
        0,
        0,
        type(stats.packed)(0, 0, 0, 1.0),
    )


async def test_what_does_not_shrink_rests_as_its_bytes_alone(store: Store) -> None:
    block = Block.of(RANDOM)
    await store.blocks.put_many([block])
    tables = store.environment.tables
    value = await store.environment.read(lambda txn: txn.get(block.cid.multihash, db=tables.blocks))
    assert value == RANDOM
    assert await store.environment.read(lambda txn: txn.stat(tables.packed)["entries"]) == 0


@pytest.mark.parametrize("first", ["none", "zstd", "lz4"])
@pytest.mark.parametrize("then", ["none", "zstd", "gzip"])
async def test_another_codec_later(tmp_path: Path, first: str, then: str) -> None:
    old, new = Block.of(b"old " * 5000), Block.of(b"new " * 5000)
    async with open_store(tmp_path, settings(first)) as store:
        await store.blocks.put_many([old])
    async with open_store(tmp_path, settings(then)) as store:
        assert await store.blocks.put_many([old, new]) == 1
        assert await store.blocks.get_many([old.cid, new.cid]) == [old.data, new.data]
        assert await store.blocks.sizes([old.cid, new.cid]) == [20_000, 20_000]
        assert [cid.multihash for cid in await store.blocks.page()] == sorted([old.cid.multihash, new.cid.multihash])
        assert (await packed_of(store.blocks)).blocks == (first != "none") + (then != "none")
        assert await store.blocks.delete_many([old.cid, new.cid]) == 2
        assert (await store.blocks.stats()).size_bytes == 0


async def test_pages_merge_both_tables_and_remember_codecs(store: Store) -> None:
    blocks = [Block.of(b"%d " % number * (1000 if number % 3 else 10), DAG_PB) for number in range(60)]
    await store.blocks.put_many(blocks)
    assert (await packed_of(store.blocks)).blocks == 40
    seen: list[CID] = []
    while page := await store.blocks.page(seen[-1].multihash if seen else b"", 7):
        seen += page
    assert seen == sorted((block.cid for block in blocks), key=lambda cid: cid.multihash)


@pytest.mark.parametrize("count", [3, PROBED_INLINE_BLOCKS * 2])
async def test_one_batch_of_both_kinds(store: Store, count: int) -> None:
    blocks = [Block.of(b"%d" % number * 2000) for number in range(count)]
    blocks += [Block.of(RANDOM[number : number + 9000]) for number in range(count)]
    assert await store.blocks.put_many([*blocks, blocks[0]]) == 2 * count
    assert await store.blocks.get_many([block.cid for block in blocks]) == [block.data for block in blocks]
    assert (await packed_of(store.blocks)).blocks == count


async def test_a_damaged_frame_is_an_error_that_names_the_block(store: Store) -> None:
    block = Block.of(b"frame " * 1000)
    await store.blocks.put_many([block])
    tables = store.environment.tables

    def damage(txn: lmdb.Transaction[memoryview]) -> None:
        found = find_block(txn, tables, block.cid.multihash)
        assert found is not None
        assert found.packed
        broken = bytearray(found.value)
        broken[len(broken) // 2] ^= 0xFF
        txn.put(block.cid.multihash, bytes(broken[:-1]), db=tables.packed)

    await store.environment.write(damage)
    with pytest.raises(IntegrityError, match=str(block.cid)) as caught:
        await store.blocks.get(block.cid)
    assert "verify --repair" in caught.value.hint
    assert await store.blocks.delete_many([block.cid]) == 1


@pytest.mark.parametrize(("compression", "level"), [("zstd", 20), ("lz4", 13), ("gzip", 10)])
def test_a_level_that_there_is_not(compression: str, level: int) -> None:
    with pytest.raises(ValueError, match=f"{compression} takes 1 to"):
        settings(compression, compression_level=level)
    settings("none", compression_level=level)


async def test_what_is_written_is_verified_where_asked(tmp_path: Path) -> None:
    good, bad = Block.of(b"good"), Block(CID.of(b"one thing"), b"another")
    async with open_store(tmp_path, settings("zstd", verify_on_write=True)) as store:
        with pytest.raises(IntegrityError, match=str(bad.cid)):
            await store.blocks.put_many([good, bad])
        assert await store.blocks.has_many([good.cid, bad.cid]) == [False, False]
        assert await store.blocks.put_many([good]) == 1
