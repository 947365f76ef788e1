"""One node's archives over a store in memory and scripted peers, and DAGs to put in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.clock import SystemClock
from chiral.dag.dag_pb import PbLink, encode_node
from chiral.dag.dag_profile import DEFAULT_PROFILE, DagProfile, leaf
from chiral.dag.file_layout import file_layout
from chiral.events.bus import EventBus
from chiral.files.archives import Archives
from chiral.files.resolver import RootResolver
from chiral.files.shelf import Shelf
from chiral.transfer.fetch import BlockFetcher
from chiral.transfer.intake import Intake
from chiral.transfer.settings import TransferSettings
from tests.fakes.exchange import ScriptedPeer, ScriptedSwarm
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue
from tests.fakes.pins import MemoryPins

MAX_BLOCK_BYTES = 2 << 20


class QuietAnnouncer:
    """Notes what was fetched or added."""

    def __init__(self) -> None:
        self.told: list[CID] = []

    async def added(self, *roots: CID) -> None:
        self.told += roots

    def fetched(self, root: CID) -> None:
        self.told.append(root)

    async def removed(self, root: CID, chunks: Sequence[CID]) -> None: ...


class ArchiveRig:
    """`archives` and the parts it is made of."""

    def __init__(self, *peers: ScriptedPeer, store: MemoryBlockstore | None = None) -> None:
        clock = SystemClock()
        self.scripted = ScriptedSwarm(*peers)
        self.blocks = store or MemoryBlockstore()
        self.catalogue = MemoryCatalogue(self.blocks)
        self.pins = MemoryPins()
        self.announcer = QuietAnnouncer()
        self.shelf = Shelf(self.blocks, self.catalogue, clock, pins=self.pins)
        intake = Intake(self.blocks, EventBus())
        self.archives = Archives.over(
            self.shelf,
            RootResolver(self.shelf, self.scripted.swarm, intake),
            BlockFetcher(self.scripted.swarm, intake, TransferSettings(retry_s=0.001), clock),
            self.pins,
            self.announcer,
            clock,
            MAX_BLOCK_BYTES,
        )

    async def hold(self, blocks: Iterable[Block]) -> ArchiveRig:
        await self.blocks.put_many(blocks)
        return self


def varied(size: int) -> bytes:
    """Bytes of which no hundred come twice."""
    return b"".join(number.to_bytes(4, "big") for number in range(-(-size // 4)))[:size]


def file_blocks(data: bytes, chunk_bytes: int, profile: DagProfile = DEFAULT_PROFILE) -> tuple[CID, list[Block]]:
    """The root of a file and all its blocks."""
    layout = file_layout(profile)
    made: list[Block] = []
    for at in range(0, len(data), chunk_bytes):
        block, child = leaf(profile, data[at : at + chunk_bytes])
        made += [block, *layout.add(child)]
    nodes, root = layout.finish()
    return root.cid, list({block.cid: block for block in (*made, *nodes)}.values())


def node_over(*blocks: Block, data: bytes | None = None) -> Block:
    """A dag-pb node that links to `blocks`, as they come."""
    return Block.of(encode_node([PbLink(block.cid, "", len(block)) for block in blocks], data), DAG_PB)


def chain(depth: int) -> list[Block]:
    """Nodes each of which links to the one before it; the last is the root."""
    blocks = [Block.of(b"the end")]
    for _ in range(depth):
        blocks.append(node_over(blocks[-1]))
    return blocks


def doubling(depth: int) -> list[Block]:
    """Nodes each of which links twice to the one before it: 2^depth paths."""
    blocks = [Block.of(b"the end")]
    for _ in range(depth):
        blocks.append(node_over(blocks[-1], blocks[-1]))
    return blocks
