"""A node without a network: files and blocks in memory, faults on call, behind the surface that the API serves.

Run as a program it serves its API until SIGINT or SIGTERM: `python -m tests.fakes.node DATA_DIR [--stall]`; with
`--stall` its files stop after their first chunk.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import trio

from chiral.api.server import Ready, serve_node
from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.clock import TrioClock
from chiral.config.model import NodeConfig
from chiral.errors import NoProvidersError
from chiral.files.library import Library
from chiral.files.results import EntryFound
from chiral.files.shelf import Shelf
from chiral.host.addresses import address_text
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.providers import FoundProvider
from chiral.interface.routing import ProvideResult
from chiral.log import configure
from chiral.pinning.cleaning import Cleaner
from chiral.pinning.pinner import Pinner
from chiral.pinning.uses import BlockUses
from chiral.routing.stats import KadStats
from tests.fakes.archives import ArchiveRig
from tests.fakes.files import FakeFiles
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue, MemoryDatastore
from tests.fakes.pins import DictionarySource, FakeCollector, MemoryPins
from tests.fakes.swarm import OTHER_ADDR, OTHER_PEER, FakeConnections, FakeRouting, peer_of
from tests.fakes.upkeep import FakeUpkeep

SERVER_PEER = PeerId.parse("12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf")


@dataclass(frozen=True, slots=True)
class FakeStats:
    """Some figures of a node."""

    blocks: int
    block_bytes: int
    files: int
    peers: int
    dht: KadStats
    uptime_s: float = 1.5


class FakeNode:
    """A node on the surface. `async with FakeNode(config) as node` makes its data directory and nothing else."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.peer_id = SERVER_PEER
        self.files = FakeFiles()
        self.blockstore = MemoryBlockstore()
        self.archives = ArchiveRig(store=self.blockstore).archives
        self.upkeep = FakeUpkeep()
        catalogue, pins, uses = MemoryCatalogue(self.blockstore), MemoryPins(), BlockUses()
        shelf = Shelf(self.blockstore, catalogue, TrioClock())
        self.library = Library.over(self.files, shelf, MemoryDatastore(), TrioClock())
        source = DictionarySource(self.blockstore)
        self.pinner = Pinner(pins, self.blockstore, catalogue, uses, source, TrioClock())
        self.collector: Any = FakeCollector()
        self.cleaner = Cleaner(catalogue, pins, self.collector, self.files.remove)
        self.routing = FakeRouting()
        self.connections = FakeConnections()
        self.providers: dict[CID, list[PeerInfo]] = {}
        self.provided: list[CID] = []
        self.search_lasts = False
        self.closed = False

    async def __aenter__(self) -> FakeNode:
        self.config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True

    async def fetch_block(self, cid: CID, timeout_s: float) -> bytes:
        data = await self.blockstore.get(cid)
        if data is None:
            raise NoProvidersError(f"no providers found for {cid}")
        return data

    async def provide(self, cid: CID) -> list[ProvideResult]:
        self.provided.append(cid)
        return [ProvideResult(cid.buffer, asked=20, stored=19)]

    async def stop_providing(self, cid: CID) -> None:
        self.provided.remove(cid)

    async def find_provider_records(
        self, cid: CID, count: int, timeout_s: float
    ) -> AsyncGenerator[FoundProvider, None]:
        for info in self.providers.get(cid, [])[:count]:
            yield FoundProvider(info, cid.buffer, 1 << 255, told_by=peer_of(3))
        if self.search_lasts:
            await trio.sleep_forever()

    def listen_addrs_text(self) -> list[str]:
        return [f"{address_text(OTHER_ADDR)}/p2p/{self.peer_id}"]

    async def stats(self) -> FakeStats:
        held = await self.blockstore.stats()
        return FakeStats(held.blocks, held.size_bytes, len(self.files.local), 1, await self.routing.stats())

    def stop(self) -> None: ...


async def sample(node: FakeNode) -> dict[str, str]:
    """Put something of each kind into the node; returns the CIDs by what they are of."""
    block = Block.of(b"a block")
    await node.blockstore.put_many([block])
    provided = node.files.hold(b"held by another", "other.bin", local=False)
    directory = CID.of(b"a directory", DAG_PB)
    inside = node.files.hold(b"in a directory", "f", local=False)
    node.files.paths[directory, ("d", "f")] = inside
    node.files.directories[directory, ()] = [
        EntryFound("d", directory, "directory", 0, 60),
        EntryFound("l", directory, "symlink", 3, None),
    ]
    node.files.directories[directory, ("d",)] = [EntryFound("f", inside, "file", 14, 14)]
    node.providers[provided] = [PeerInfo(OTHER_PEER, (OTHER_ADDR,)), PeerInfo(peer_of(4))]
    return {
        "file": str(node.files.hold(bytes(range(256)) * 2048, "held.bin")),
        "escaping": str(node.files.hold(b"escape", "../../etc/\x1b[31mpasswd")),
        "remote": str(provided),
        "directory": str(directory),
        "block": str(block.cid),
    }


def main() -> None:
    """Serve a fake node with samples; the first line on stdout is the ready event with the samples' CIDs."""
    configure("info")
    config = NodeConfig(data_dir=Path(sys.argv[1]).absolute())
    node = FakeNode(config)
    held: dict[str, str] = {}
    if "--stall" in sys.argv:
        node.files.stall_at = 1

    def announce(ready: Ready) -> None:
        print(json.dumps({"event": "ready", "api": ready.api, "held": held}), flush=True)

    async def serve() -> None:
        held.update(await sample(node))
        await serve_node(config, announce, open_node=lambda _: node)

    trio.run(serve)


if __name__ == "__main__":
    main()
