"""A block that rots on one node is mended from another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import trio

from chiral.store.block_table import find_block
from tests.scenarios.swarm import DEADLINE_S, add, get, random_file, running, sha256_of

if TYPE_CHECKING:
    from chiral.store.schema import WriteTransaction


async def test_a_damaged_block_is_fetched_from_a_peer(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", 1 << 20)
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        added = await add(first, original)
        await get(second, added.root, tmp_path / "copy")
        chunk, size = (await second.files.chunks(added.root))[1]
        tables = second.upkeep.environment.tables

        def rot(txn: WriteTransaction) -> None:
            found = find_block(txn, tables, chunk.multihash)
            assert found is not None
            txn.put(chunk.multihash, bytes(size - 1) + b"\x01", db=tables.blocks)

        await second.upkeep.environment.write(rot)
        verifier = second.upkeep.verifier
        run = verifier.start(repair=True)
        with trio.fail_after(DEADLINE_S):
            while run.state == "running":
                run = await verifier.changed()
        assert (run.state, run.damaged, run.repaired, run.names) == ("done", 1, 1, (str(chunk),))
        assert await second.upkeep.quarantine.count() == 0
        await get(second, added.root, tmp_path / "again")
        assert sha256_of(tmp_path / "again") == sha256_of(original)
        compacted = await second.upkeep.compactor.compact()
        assert compacted.after_bytes > 0
        assert (await second.stats()).store.blocks == 4
