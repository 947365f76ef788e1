"""A process that stores without end and says what was acknowledged, to be killed at any instant."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import trio

from chiral.block.block import Block
from chiral.dag.file_info import FileInfo
from chiral.interface.catalogue import FileRecord
from chiral.store.store import Store, open_store


def file_of(number: int) -> tuple[FileInfo, list[Block]]:
    """The file that `number` stands for: one to forty chunks of up to 40,000 bytes, and one that files share."""
    rng = random.Random(number)
    chunks = [rng.randbytes(rng.randrange(1, 40_000)) for _ in range(rng.randrange(1, 40))]
    chunks.append(b"shared by the files of lane %d" % (number % 4))
    blocks = [Block.of(chunk) for chunk in chunks]
    return FileInfo.of(f"file {number}", sum(map(len, chunks)), [block.cid for block in blocks], number), blocks


async def add(store: Store, number: int) -> None:
    """Add the file of `number` and say so; of every third, remove it again and say that."""
    info, blocks = file_of(number)
    await store.blocks.put_many(blocks)
    record = FileRecord(info.root_cid, info.name, info.size, len(blocks), info.created_at, 0)
    await store.catalogue.put(record, info.to_json())
    print("added", number, flush=True)
    if number % 3 == 0:
        print("removing", number, flush=True)
        await store.catalogue.remove(info.root_cid, [block.cid for block in blocks])
        print("removed", number, flush=True)


async def main(directory: Path, first: int) -> None:
    async with open_store(directory) as store, trio.open_nursery() as nursery:

        async def add_every_fourth(start: int) -> None:
            for number in range(start, 1_000_000, 4):
                await add(store, number)

        for lane in range(4):
            nursery.start_soon(add_every_fourth, first + lane)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
