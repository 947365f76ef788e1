"""Collections over a store on the disk: one that is full, and one cut short by the end of the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiral.block.block import Block
from chiral.clock import SystemClock
from chiral.errors import StoreFullError
from chiral.interface.pins import Pin, PinKind
from chiral.pinning.collection import Collection, ProgressStore
from chiral.pinning.pace import Pace
from chiral.pinning.progress import CollectionProgress
from chiral.pinning.roots import Keepers
from chiral.pinning.uses import BlockUses
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from tests.pinning.dags import tree

SMALL_MAP = StoreSettings(durable=False, map_size_bytes=4 << 20, compression="none")


async def collect(store: Store) -> CollectionProgress:
    keepers = Keepers(store.blocks, store.catalogue, store.pins, BlockUses(), SystemClock())
    pace = Pace(slice_s=0.004, share=1.0)
    told: list[CollectionProgress] = []
    collection = Collection(keepers, ProgressStore(store.state), pace, told.append, dry_run=False, enough=None)
    return await collection.run()


async def fill(store: Store, size: int) -> list[Block]:
    """Put blocks one by one until there is no room; what was acknowledged."""
    held: list[Block] = []
    try:
        while True:
            block = Block.of(len(held).to_bytes(4, "big") * (size // 4))
            await store.blocks.put_many([block])
            held.append(block)
    except StoreFullError:
        return held


@pytest.mark.parametrize("size", [300, 20_000])
async def test_a_full_store_is_emptied(tmp_path: Path, size: int) -> None:
    dag = tree("kept")
    async with open_store(tmp_path, SMALL_MAP) as store:
        await store.blocks.put_many(dag)
        await store.pins.put(Pin(dag[0].cid, PinKind.RECURSIVE))
        dead = await fill(store, size)
        ended = await collect(store)
        assert ended.freed_blocks >= len(dead)
        assert (await store.blocks.stats()).blocks == len(dag)
        assert await store.blocks.put_many(dead[:5]) == 5


async def test_the_next_process_goes_on(tmp_path: Path, settings: StoreSettings) -> None:
    dead = sorted((Block.of(b"%d" % number) for number in range(500)), key=lambda block: block.cid.multihash)
    async with open_store(tmp_path, settings) as store:
        await store.blocks.put_many(dead)
        begun = CollectionProgress("sweeping", False, 5.0, position=dead[99].cid.multihash, freed_blocks=7)
        await ProgressStore(store.state).save(begun)
    async with open_store(tmp_path, settings) as store:
        ended = await collect(store)
        assert (ended.resumed, ended.freed_blocks, ended.started_at) == (True, 407, 5.0)
        assert (await store.blocks.stats()).blocks == 100
        assert await ProgressStore(store.state).under_way() is None
        assert (await ProgressStore(store.state).last()) == ended
