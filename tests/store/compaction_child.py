"""A process that stores and compacts without end and says what was acknowledged, to be killed at any instant."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import trio

from chiral.block.block import Block
from chiral.store.compaction import Compactor
from chiral.store.store import open_store


async def main(directory: Path, first: int) -> None:
    async with open_store(directory) as store, trio.open_nursery() as nursery:

        async def put_without_end() -> None:
            for number in range(first, first + 1_000):
                block = Block.of(random.Random(number).randbytes(20_000))
                await store.blocks.put_many([block])
                print("put", block.cid, flush=True)

        async def compact_without_end() -> None:
            compactor = Compactor(store.environment)
            while True:
                await compactor.compact()
                print("compacted", flush=True)

        nursery.start_soon(put_without_end)
        nursery.start_soon(compact_without_end)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
