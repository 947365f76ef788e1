"""What a node does with content, wired: files, archives, library, pins, collections, upkeep, and their announcing."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Self

import trio

from chiral.block.cid import CID
from chiral.chunker.fixed import FixedChunker
from chiral.clock import Clock
from chiral.config.model import NodeConfig
from chiral.errors import ChiralError
from chiral.events.bus import EventBus
from chiral.files.add import Adder
from chiral.files.archives import Archives
from chiral.files.dag_opener import DagOpener
from chiral.files.expiry import Expiry
from chiral.files.files import Files
from chiral.files.library import Library
from chiral.files.opener import FileOpener
from chiral.files.resolver import RootResolver
from chiral.files.shelf import Shelf
from chiral.files.whole_content import WholeContent
from chiral.host.signing import KeySigner
from chiral.interface.blockstore import Blockstore
from chiral.node.announcements import Announcements, AnnouncePlan
from chiral.node.file_metadata import FileMetadataAnnouncer
from chiral.node.keeping import Keeping
from chiral.pinning.uses import BlockUses
from chiral.pinning.watched_blocks import WatchedBlocks
from chiral.routing.kademlia import Kademlia
from chiral.store.store import Store
from chiral.store.upkeep import Upkeep
from chiral.transfer.fetch import BlockFetcher
from chiral.transfer.intake import Intake
from chiral.transfer.swarm import Swarm

logger = logging.getLogger(__name__)
REFETCH_TIMEOUT_S = 60.0
"""Longest wait for a block that is to replace a damaged one."""


@dataclass(frozen=True, slots=True)
class Content:
    """The use cases on one node's content, and what of them is to be run."""

    blocks: Blockstore
    files: Files
    archives: Archives
    library: Library
    expiry: Expiry
    keeping: Keeping
    upkeep: Upkeep
    resolver: RootResolver
    announcements: Announcements
    metadata: FileMetadataAnnouncer

    @classmethod
    def over(
        cls,
        store: Store,
        swarm: Swarm,
        routing: Kademlia,
        signer: KeySigner,
        bus: EventBus,
        config: NodeConfig,
        clock: Clock,
    ) -> Self:
        """Those over a store and a swarm: ports are passed in, nothing finds another by itself."""
        uses = BlockUses()
        blocks = WatchedBlocks(store.blocks, uses)
        shelf = Shelf(blocks, store.catalogue, clock, uses=uses, pins=store.pins)
        intake = Intake(blocks, bus)
        resolver = RootResolver(shelf, swarm, intake)
        announcements = Announcements(routing, store.catalogue, AnnouncePlan(config.announce, config.announce_keys))
        publishes = config.routing.metadata == "publish" and config.announce != "off"
        metadata = FileMetadataAnnouncer(announcements, routing, store.catalogue, signer, clock, publishes=publishes)
        fetcher = BlockFetcher(swarm, intake, config.transfer, clock)
        dags = DagOpener(resolver, fetcher, shelf, metadata, clock)
        opener = FileOpener(resolver, fetcher, shelf, metadata, dags)
        files = Files(Adder(shelf, FixedChunker(), clock), opener, dags, shelf, metadata, clock)
        most = config.exchange.max_block_bytes
        whole = WholeContent(resolver, opener, fetcher, shelf)

        async def refetch(cid: CID) -> bytes:
            return await fetch_block(resolver, cid, REFETCH_TIMEOUT_S)

        return cls(
            blocks,
            files,
            Archives.over(shelf, resolver, fetcher, store.pins, metadata, clock, most),
            Library.over(files, shelf, store.state, clock),
            Expiry(store.catalogue, files.remove, clock),
            Keeping.over(store, shelf, whole, files.remove, metadata, config, clock),
            Upkeep.of(store, clock, refetch),
            resolver,
            announcements,
            metadata,
        )

    def run_in(self, nursery: trio.Nursery) -> None:
        """Start what goes on behind, as tasks of `nursery`."""
        nursery.start_soon(self.announcements.resume)
        nursery.start_soon(self.announcements.run)
        nursery.start_soon(self.metadata.run)
        nursery.start_soon(self.upkeep.run)
        nursery.start_soon(self.keeping.collector.run)
        nursery.start_soon(self._tell_of_pins)
        nursery.start_soon(self.expiry.run)

    async def _tell_of_pins(self) -> None:
        try:
            await self.keeping.pinner.tell_all()
        except ChiralError as error:
            logger.warning("not all pins are announced: %s", error)


async def fetch_block(resolver: RootResolver, cid: CID, timeout_s: float) -> bytes:
    """A block, or a file's FileInfo, from here or from who has it, verified; raises as `RootResolver.resolve`."""
    root = await resolver.resolve(cid, timeout_s)
    return root.data if root.info is None else root.manifest
