"""A quota on blocks: clear before anything is written, of what blocks take as they rest, of new ones alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from chiral.block.block import Block
from chiral.errors import StoreFullError
from chiral.store.settings import StoreSettings
from chiral.store.store import Store

SIZE = 10_000
BLOCKS = [Block.of(random.Random(number).randbytes(SIZE)) for number in range(12)]


@pytest.fixture
def settings() -> StoreSettings:
    return StoreSettings(durable=False, quota_bytes=10 * SIZE)


async def test_up_to_the_quota_and_not_a_byte_more(store: Store) -> None:
    await store.blocks.put_many(BLOCKS[:10])
    stats = await store.blocks.stats()
    assert (stats.rest_bytes, stats.quota_bytes, stats.quota_used) == (10 * SIZE, 10 * SIZE, 1.0)
    with pytest.raises(StoreFullError, match="quota") as caught:
        await store.blocks.put_many([Block.of(b"x")])
    assert "store.quota_bytes" in caught.value.hint
    assert (await store.blocks.stats()).blocks == 10


async def test_a_batch_over_it_is_refused_whole(store: Store) -> None:
    with pytest.raises(StoreFullError):
        await store.blocks.put_many(BLOCKS[:11])
    assert (await store.blocks.stats()).blocks == 0
    assert await store.blocks.put_many(BLOCKS[:10]) == 10


async def test_known_blocks_and_equal_ones_take_no_room(store: Store) -> None:
    await store.blocks.put_many(BLOCKS[:9])
    assert await store.blocks.put_many([*BLOCKS[:9], BLOCKS[9], BLOCKS[9]]) == 1
    assert await store.blocks.put_many(BLOCKS[:10]) == 0


async def test_deleting_makes_room(store: Store) -> None:
    await store.blocks.put_many(BLOCKS[:10])
    await store.blocks.delete_many([BLOCKS[0].cid])
    assert await store.blocks.put_many([BLOCKS[10]]) == 1


async def test_compressed_blocks_count_as_they_rest(store: Store) -> None:
    blocks = [Block.of(bytes([number]) * 4 * SIZE) for number in range(20)]
    assert await store.blocks.put_many(blocks) == 20
    stats = await store.blocks.stats()
    assert stats.size_bytes == 80 * SIZE
    assert stats.quota_used < 0.1


async def test_everything_but_blocks_goes_on(store: Store, tmp_path: Path) -> None:
    await store.blocks.put_many(BLOCKS[:10])
    await store.state.put_many("t", {b"k": bytes(SIZE)})
    assert await store.state.get("t", b"k") == bytes(SIZE)
