"""Blocks in three Garage nodes: written and read while one of them is dead. Only where Garage is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from pydantic import SecretStr

from chiral.interface.blockstore import BlockstoreStats
from chiral.store.s3_opening import open_s3_blocks
from chiral.store.s3_settings import S3Settings
from interop import garage
from tests.contracts.blockstore import numbered
from tests.fakes.memory_store import MemoryDatastore

DEADLINE_S = 300
BLOCK_BYTES = 256 << 10

pytestmark = pytest.mark.skipif(garage.program() is None, reason="garage is not installed")


async def test_blocks_survive_the_death_of_a_node(tmp_path: Path) -> None:
    blocks = numbered(120, BLOCK_BYTES)
    before, during, after = blocks[:40], blocks[40:80], blocks[80:]
    with trio.fail_after(DEADLINE_S):
        async with garage.running(tmp_path) as cluster:
            settings = S3Settings(
                endpoint=cluster.nodes[0].endpoint,
                bucket=garage.BUCKET,
                region=garage.REGION,
                access_key=cluster.access_key,
                secret_key=SecretStr(cluster.secret_key),
            )
            async with open_s3_blocks(settings, MemoryDatastore()) as store:
                assert await store.put_many(before) == 40
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(store.put_many, during)
                    nursery.start_soon(cluster.nodes[2].kill)
                assert await store.put_many(after) == 40
                got = await store.get_many([block.cid for block in blocks])
                assert got == [block.data for block in blocks]
                assert await store.stats() == BlockstoreStats(120, 120 * BLOCK_BYTES)
                assert await store.page() == sorted((b.cid for b in blocks), key=lambda cid: cid.multihash)
                await cluster.nodes[2].start(cluster.garage)
                assert await store.delete_many([block.cid for block in before]) == 40
                assert await store.has_many([block.cid for block in blocks]) == [False] * 40 + [True] * 80
