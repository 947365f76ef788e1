"""One node's files over a store in memory and scripted peers, for tests of single parts and of all together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.chunker.fixed import FixedChunker
from chiral.clock import SystemClock
from chiral.dag.file_info import FileInfo
from chiral.events.bus import EventBus
from chiral.files.add import Adder
from chiral.files.dag_opener import DagOpener
from chiral.files.files import Files
from chiral.files.opener import FileOpener
from chiral.files.reader import Reading
from chiral.files.resolver import RootResolver
from chiral.files.shelf import Shelf
from chiral.transfer.fetch import BlockFetcher
from chiral.transfer.intake import Intake
from chiral.transfer.settings import TransferSettings
from tests.fakes.exchange import Conduct, ScriptedPeer, ScriptedSwarm, honest
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue

CHUNK_BYTES = 1024


class Content:
    """A file's bytes, cut every 1 KiB, and its FileInfo."""

    def __init__(self, size: int, *, name: str = "file.bin", seed: int = 1, claimed_size: int | None = None) -> None:
        self.data = random.Random(seed).randbytes(size)
        self.blocks = [Block.of(self.data[at : at + CHUNK_BYTES]) for at in range(0, size, CHUNK_BYTES)]
        cids = [block.cid for block in self.blocks]
        self.info = FileInfo.of(name, size if claimed_size is None else claimed_size, cids, 1_700_000_000)
        self.root = self.info.root_cid
        self.manifest = self.info.to_json()

    def at(self, number: int, conduct: Conduct = honest, *, latency_s: float = 0.0) -> ScriptedPeer:
        """A peer that holds all of it."""
        peer = ScriptedPeer(number, conduct, latency_s=latency_s)
        return peer.hold(self.blocks).hold_manifest(self.root, self.manifest)


class RecordingAnnouncer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, CID]] = []
        self.dropped: list[CID] = []

    async def added(self, *roots: CID) -> None:
        await trio.lowlevel.checkpoint()
        self.told += [("added", root) for root in roots]

    def fetched(self, root: CID) -> None:
        self.told.append(("fetched", root))

    async def removed(self, root: CID, chunks: Sequence[CID]) -> None:
        await trio.lowlevel.checkpoint()
        self.told.append(("removed", root))
        self.dropped += chunks


class Rig:
    """`files` and the parts it is made of. Peers are known as providers of whatever `publish` names."""

    def __init__(self, *peers: ScriptedPeer, store: MemoryBlockstore | None = None, shelf: Shelf | None = None) -> None:
        """`shelf` instead of one in memory: then `blocks` and `catalogue` are that one's."""
        clock = SystemClock()
        self.scripted = ScriptedSwarm(*peers)
        blocks = store or MemoryBlockstore()
        self.shelf = shelf or Shelf(blocks, MemoryCatalogue(blocks), clock)
        self.blocks: Any = self.shelf.blocks
        self.catalogue: Any = self.shelf.catalogue
        self.announcer = RecordingAnnouncer()
        intake = Intake(self.blocks, EventBus())
        self.resolver = RootResolver(self.shelf, self.scripted.swarm, intake)
        self.fetcher = BlockFetcher(self.scripted.swarm, intake, TransferSettings(retry_s=0.001), clock)
        self.dags = DagOpener(self.resolver, self.fetcher, self.shelf, self.announcer, clock)
        self.opener = FileOpener(self.resolver, self.fetcher, self.shelf, self.announcer, self.dags)
        self.adder = Adder(self.shelf, FixedChunker(CHUNK_BYTES), clock)
        self.files = Files(self.adder, self.opener, self.dags, self.shelf, self.announcer, clock)

    def publish(self, content: Content, *peers: ScriptedPeer) -> Rig:
        self.scripted.routing.knows(content.root, *peers)
        return self

    async def hold(self, content: Content) -> Rig:
        """Have the file here."""
        await self.blocks.put_many(content.blocks)
        await self.shelf.enter(content.info, content.manifest)
        return self

    async def held(self, content: Content) -> int:
        """How many of the file's blocks are here."""
        return sum(await self.blocks.has_many([block.cid for block in content.blocks]))


async def read_all(reader: Reading) -> bytes:
    parts = []
    while (batch := await reader.next_batch()) is not None:
        parts += batch
    return b"".join(parts)


def leftovers(directory: Path) -> list[str]:
    """What lies in `directory`."""
    return sorted(path.name for path in directory.iterdir())
