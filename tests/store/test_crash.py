"""Killed at any instant, the store opens again with every acknowledged file and block whole."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

from chiral.block.cid import CID
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from tests.store.killing import run_and_kill

CHILD = Path(__file__).with_name("crash_child.py")
KILLS = 8
SEED = 20_240_601

_spec = importlib.util.spec_from_file_location("crash_child", CHILD)
assert _spec is not None
assert _spec.loader is not None
crash_child = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(crash_child)


async def check(store: Store, said: list[str]) -> None:
    """Hold the store against everything children said."""
    told = [(verb, int(number)) for verb, number in (line.split() for line in said)]
    in_doubt = {number for verb, number in told if verb == "removing"}
    gone = {number for verb, number in told if verb == "removed"}
    for number in sorted({number for verb, number in told if verb == "added"}):
        info, blocks = crash_child.file_of(number)
        record = await store.catalogue.get(info.root_cid)
        if number in gone:
            assert record is None
        elif number not in in_doubt:
            assert record is not None
            assert await store.catalogue.manifest(info.root_cid) == info.to_json()
            assert await store.blocks.get_many([block.cid for block in blocks]) == [block.data for block in blocks]
    await check_counters(store)


async def check_counters(store: Store) -> None:
    """Every block is whole and the counters are the sums of what is there."""
    cids: list[CID] = []
    while page := await store.blocks.page(cids[-1].multihash if cids else b""):
        cids += page
    held = await store.blocks.get_many(cids)
    assert all(data is not None and cid.matches(data) for cid, data in zip(cids, held, strict=True))
    stats = await store.blocks.stats()
    assert (stats.blocks, stats.size_bytes) == (len(cids), sum(len(data or b"") for data in held))


async def test_killed_at_any_instant(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    said: list[str] = []
    for round_ in range(KILLS):
        said += run_and_kill(CHILD, tmp_path, round_ * 10_000, rng, range(1, 40))
        async with open_store(tmp_path, StoreSettings(verify_on_read=True)) as store:
            await check(store, said)
    assert sum(line.startswith("added") for line in said) >= KILLS
