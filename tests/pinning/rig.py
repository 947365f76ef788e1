"""Pins and collections over a store in memory, with files and DAGs to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.clock import TrioClock
from chiral.dag.file_info import FileInfo
from chiral.interface.catalogue import FileRecord
from chiral.interface.pins import Pin, PinKind
from chiral.pinning.collection import Collection, ProgressStore
from chiral.pinning.collector import Collector
from chiral.pinning.levels import Levels
from chiral.pinning.pace import Pace
from chiral.pinning.pinner import Pinner
from chiral.pinning.progress import CollectionProgress
from chiral.pinning.roots import Keepers
from chiral.pinning.settings import CollectionSettings
from chiral.pinning.uses import BlockUses
from chiral.pinning.watched_blocks import WatchedBlocks
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue, MemoryDatastore
from tests.fakes.pins import DictionarySource, MemoryPins


def numbered(count: int, prefix: str = "dead") -> list[Block]:
    return [Block.of(f"{prefix} {number}".encode()) for number in range(count)]


class Rig:
    """`blocks` is what those who store are given; the collection has the store under it."""

    def __init__(self, store: MemoryBlockstore | None = None) -> None:
        self.store = store or MemoryBlockstore()
        self.catalogue = MemoryCatalogue(self.store)
        self.pins = MemoryPins()
        self.uses = BlockUses()
        self.blocks = WatchedBlocks(self.store, self.uses)
        self.state = MemoryDatastore()
        self.clock = TrioClock()
        self.keepers = Keepers(self.store, self.catalogue, self.pins, self.uses, self.clock)
        self.progress = ProgressStore(self.state)
        self.source = DictionarySource(self.blocks)
        self.pinner = Pinner(self.pins, self.blocks, self.catalogue, self.uses, self.source, self.clock)

    def collection(
        self,
        told: Callable[[CollectionProgress], None] = lambda _: None,
        *,
        dry_run: bool = False,
        enough: Levels | None = None,
        blocks: int = 8,
    ) -> Collection:
        pace = Pace(slice_s=1e-9, share=0.5, blocks=blocks)
        return Collection(self.keepers, self.progress, pace, told, dry_run=dry_run, enough=enough)

    def collector(self, **settings: float) -> Collector:
        return Collector(self.keepers, self.state, CollectionSettings.model_validate(settings), quota_bytes=0)

    async def put(self, *blocks: Block) -> None:
        await self.blocks.put_many(blocks)

    async def hold_file(self, *chunks: Block, name: str = "f", dag_root: CID | None = None) -> FileRecord:
        """Have a catalogued file of these chunks."""
        info = FileInfo.of(name, sum(map(len, chunks)), [chunk.cid for chunk in chunks], 1)
        await self.put(*chunks)
        record = FileRecord(info.root_cid, name, info.size, len(chunks), 1, 1, dag_root=dag_root)
        await self.catalogue.put(record, info.to_json())
        return record

    async def hold_dag(self, dag: list[Block]) -> FileRecord:
        """Have a catalogued directory; its root is the first of `dag`."""
        await self.put(*dag)
        root = dag[0].cid
        record = FileRecord(root, "d", 0, 0, 1, 1, dag_root=root, kind="directory")
        await self.catalogue.put(record, None)
        return record

    async def pin(self, cid: CID, kind: PinKind = PinKind.RECURSIVE) -> None:
        """Pin what is here."""
        await self.pins.put(Pin(cid, kind))

    async def here(self, blocks: Iterable[Block]) -> list[bool]:
        return await self.store.has_many([block.cid for block in blocks])

    async def all_here(self, blocks: Iterable[Block]) -> bool:
        return all(await self.here(blocks))

    async def none_here(self, blocks: Iterable[Block]) -> bool:
        return not any(await self.here(blocks))
