"""A block server over stores in memory, for tests of the block protocol."""

from __future__ import annotations

from typing import Any

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.events.bus import EventBus
from chiral.exchange.server import BlockServer
from chiral.exchange.settings import ExchangeSettings
from chiral.interface.catalogue import FileRecord
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue


class ServingNode:
    """A server with what it serves. `settings` are those of the exchange."""

    def __init__(self, **settings: Any) -> None:
        self.settings = ExchangeSettings(**settings)
        self.blocks = MemoryBlockstore()
        self.catalogue = MemoryCatalogue(self.blocks)
        self.bus = EventBus()
        self.server = BlockServer(self.blocks, self.catalogue, self.bus, self.settings)

    async def hold(self, data: bytes) -> CID:
        """Store a block; returns its CID."""
        block = Block.of(data)
        await self.blocks.put_many([block])
        return block.cid

    async def hold_file(self, *chunks: bytes) -> tuple[CID, bytes]:
        """Store a file of `chunks`; returns its root and its manifest."""
        cids = [await self.hold(chunk) for chunk in chunks]
        info = FileInfo.of("name.bin", sum(map(len, chunks)), cids, 1_700_000_000)
        manifest = info.to_json()
        record = FileRecord(info.root_cid, info.name, info.size, len(cids), info.created_at, info.created_at)
        await self.catalogue.put(record, manifest)
        return info.root_cid, manifest
