from __future__ import annotations

from pathlib import Path

import pytest
import trio

from chiral.block.block import Block
from chiral.store import mapped_pages
from chiral.store.blockstore import LmdbBlockstore
from chiral.store.mapped_pages import MappedPages
from chiral.store.settings import StoreSettings
from chiral.store.store import open_store

MIB_BYTES = 1 << 20
BLOCK_BYTES = 1 << 18
BLOCKS = 128


async def growth_of_reading(directory: Path, settings: StoreSettings) -> int:
    """By how many bytes the resident memory that files back grows while 32 MiB of blocks are read."""
    blocks = [Block.of(bytes([number]) * BLOCK_BYTES) for number in range(BLOCKS)]
    async with open_store(directory, settings) as store:
        held = LmdbBlockstore(store.environment)
        await held.put_many(blocks)
        before = most = mapped_pages._shared_bytes()
        for start in range(0, BLOCKS, 8):
            part = blocks[start : start + 8]
            assert await held.get_many([block.cid for block in part]) == [block.data for block in part]
            most = max(most, mapped_pages._shared_bytes())
        for block in blocks:
            assert held.get_now(block.cid) == block.data
            most = max(most, mapped_pages._shared_bytes())
        return most - before


async def test_what_is_mapped_stays_within_the_limit(tmp_path: Path) -> None:
    limited = StoreSettings(durable=False, compression="none", mapped_bytes=MIB_BYTES)
    free = StoreSettings(durable=False, compression="none", mapped_bytes=0)
    assert await growth_of_reading(tmp_path / "free", free) > 24 * MIB_BYTES
    assert await growth_of_reading(tmp_path / "limited", limited) < 16 * MIB_BYTES


async def test_reads_go_on_while_pages_are_unmapped(tmp_path: Path) -> None:
    blocks = [Block.of(bytes([number]) * BLOCK_BYTES) for number in range(16)]
    async with open_store(tmp_path, StoreSettings(durable=False, compression="none", mapped_bytes=1)) as store:
        await store.blocks.put_many(blocks)

        async def read() -> None:
            for _ in range(10):
                assert await store.blocks.get_many([block.cid for block in blocks]) == [block.data for block in blocks]

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(read)


def test_without_a_map_nothing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not mapped")
    MappedPages(tmp_path / "data.mdb", 1).trim()
    monkeypatch.setattr(mapped_pages, "_MAPS", tmp_path / "missing")
    MappedPages(tmp_path / "data.mdb", 1).trim()
    MappedPages(tmp_path / "gone.mdb", 1).trim()


async def test_where_the_system_cannot_be_asked_storing_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(tmp_path, StoreSettings(durable=False, compression="none", mapped_bytes=1)) as store:
        monkeypatch.setattr(mapped_pages, "_STATM", tmp_path / "missing")
        assert await store.blocks.put_many([Block.of(b"one")]) == 1
        assert await store.blocks.put_many([Block.of(b"two")]) == 1
        assert await store.blocks.get_many([Block.of(b"two").cid]) == [b"two"]
