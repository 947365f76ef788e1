"""A rig whose files are added and labelled, for tests of what is done with files that are held."""

from __future__ import annotations

from collections.abc import AsyncIterator

from chiral.block.cid import CID
from chiral.clock import TrioClock
from chiral.files.library import Library
from chiral.files.results import FileAdded
from tests.fakes.memory_store import MemoryDatastore
from tests.files.rig import Rig, read_all


class Shelved(Rig):
    """A rig with a library over it."""

    def __init__(self) -> None:
        super().__init__()
        self.library = Library.over(self.files, self.shelf, MemoryDatastore(), TrioClock())

    async def add(self, data: bytes, name: str = "file.bin") -> FileAdded:
        """Add a file, cut every 1 KiB."""
        return await self.files.add_stream(_one(data), name=name)

    async def chunks(self, root: CID) -> list[CID]:
        """The chunks of a file, in order."""
        return [chunk for chunk, _ in await self.files.chunks(root)]

    async def read(self, root: CID) -> bytes:
        """A file's bytes; raises what reading raises."""
        async with self.files.open(root, timeout_s=1) as reader:
            return await read_all(reader)

    def damage(self, cid: CID, data: bytes = b"rotten") -> None:
        """Have other bytes under a CID."""
        self.blocks._blocks[cid.multihash] = (cid.codec, data)


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data
