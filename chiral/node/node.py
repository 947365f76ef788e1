"""The node: opens every room, wires them together, supervises their tasks and ends them in order."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from types import TracebackType
from typing import Self

import trio

from chiral import __version__
from chiral.block.cid import CID
from chiral.chunker.fixed import FixedChunker
from chiral.clock import Clock, SystemClock
from chiral.config.model import NodeConfig
from chiral.errors import ChiralError, sole_error
from chiral.events.bus import EventBus
from chiral.exchange.client import BlockClient
from chiral.exchange.codec import PROTOCOL as BLOCK_PROTOCOL
from chiral.exchange.server import BlockServer
from chiral.files.add import Adder
from chiral.files.files import Files
from chiral.files.opener import FileOpener
from chiral.files.resolver import RootResolver
from chiral.files.shelf import Shelf
from chiral.host.addresses import address_text
from chiral.host.host import Host
from chiral.host.identity import load_identity
from chiral.host.signing import KeySigner
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.providers import FoundProvider
from chiral.interface.routing import ProvideResult
from chiral.interface.streams import Connections, Streams
from chiral.node.allocator import keep_blocks_in_heap
from chiral.node.announcements import Announcements, AnnouncePlan, root_keys
from chiral.node.bootstrap import bootstrap_peers
from chiral.node.file_metadata import FileMetadataAnnouncer
from chiral.node.stats import NodeStats
from chiral.node.value_rules import value_rules
from chiral.routing.kademlia import Kademlia
from chiral.store.store import Store, open_store
from chiral.transfer.fetch import BlockFetcher
from chiral.transfer.finder import Finder
from chiral.transfer.intake import Intake
from chiral.transfer.swarm import Swarm

logger = logging.getLogger(__name__)


class Node:
    """A running node: `async with Node(config) as node`.

    Entering raises `StoreLockedError`, `FileAccessError`, `ListenError` or another `LocalError`. A bootstrap address
    that cannot be used is named in the log, and the others are used.
    """

    files: Files
    blockstore: Blockstore
    catalogue: Catalogue
    routing: Kademlia
    connections: Connections
    streams: Streams
    peer_id: PeerId
    started_at: float

    def __init__(self, config: NodeConfig, *, clock: Clock | None = None) -> None:
        self.config = config
        self.events = EventBus()
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._joined = trio.Event()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._running())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        bootstrap = bootstrap_peers(self.config.bootstrap)
        async with open_store(self.config.data_dir, self.config.store) as store:
            key_pair = await trio.to_thread.run_sync(load_identity, self.config.data_dir)
            self._host = Host(self.config.host, key_pair, self._clock, self.events, f"chiral/{__version__}")
            self._wire(store, KeySigner(key_pair))
            keep_blocks_in_heap()
            async with self._host.run():
                with sole_error():
                    async with trio.open_nursery() as nursery:
                        await nursery.start(self.routing.run)
                        nursery.start_soon(self._announcements.resume)
                        nursery.start_soon(self._announcements.run)
                        nursery.start_soon(self._metadata.run)
                        nursery.start_soon(self._join, bootstrap)
                        yield
                        nursery.cancel_scope.cancel()

    def _wire(self, store: Store, signer: KeySigner) -> None:
        """Join the rooms: ports are passed in, nothing finds another by itself."""
        config, host = self.config, self._host
        self.peer_id = host.local_peer
        self.connections = self.streams = host
        self.blockstore, self.catalogue = store.blocks, store.catalogue
        rules = value_rules(config.routing, signer, announces=config.announce != "off")
        self.routing = Kademlia(
            streams=host,
            connections=host,
            providers=store.providers,
            values=store.values,
            datastore=store.state,
            clock=self._clock,
            settings=config.routing,
            validators=rules.validators,
            renewers=rules.renewers,
        )
        self._server = BlockServer(store.blocks, store.catalogue, self.events, config.exchange)
        self._server.attach(host)
        swarm = Swarm(
            BlockClient(host, config.exchange),
            Finder(host.local_peer, self.routing, host, BLOCK_PROTOCOL, self._joined),
            max_block_bytes=config.exchange.max_block_bytes,
            max_manifest_bytes=config.exchange.max_manifest_bytes,
        )
        shelf = Shelf(store.blocks, store.catalogue, self._clock)
        intake = Intake(store.blocks, self.events)
        self._resolver = RootResolver(shelf, swarm, intake)
        self._announcements = Announcements(
            self.routing, store.catalogue, AnnouncePlan(config.announce, config.announce_keys)
        )
        fetcher = BlockFetcher(swarm, intake, config.transfer, self._clock)
        self._metadata = FileMetadataAnnouncer(
            self._announcements,
            self.routing,
            store.catalogue,
            signer,
            self._clock,
            publishes=config.routing.metadata == "publish" and config.announce != "off",
        )
        opener = FileOpener(self._resolver, fetcher, shelf, self._metadata)
        adder = Adder(shelf, FixedChunker(), self._clock)
        self.files = Files(adder, opener, shelf, self._metadata, self._clock)
        self.started_at = self._clock.wall()

    async def _join(self, bootstrap: list[PeerInfo]) -> None:
        try:
            await self.routing.bootstrap(bootstrap)
        except ChiralError as error:  # no fault of the swarm's ends the node
            logger.warning("joining the swarm failed: %s", error)
        finally:
            self._joined.set()

    async def fetch_block(self, cid: CID, timeout_s: float) -> bytes:
        """A block, or a file's FileInfo, from here or from who has it, verified; raises as `RootResolver.resolve`."""
        root = await self._resolver.resolve(cid, timeout_s)
        return root.data if root.info is None else root.manifest

    async def provide(self, cid: CID) -> list[ProvideResult]:
        """Announce `cid` under both of its keys now."""
        return await self._announcements.provide(cid)

    async def stop_providing(self, cid: CID) -> None:
        """Announce `cid` no longer, under neither key; what others keep of it expires there by itself."""
        await self.routing.stop_providing(root_keys(cid))

    async def find_providers(self, cid: CID, count: int, timeout_s: float) -> AsyncGenerator[PeerInfo, None]:
        """Peers that provide `cid` under either key, as they are found."""
        async with aclosing(self.find_provider_records(cid, count, timeout_s)) as providers:
            async for provider in providers:
                yield provider.info

    async def find_provider_records(
        self, cid: CID, count: int, timeout_s: float
    ) -> AsyncGenerator[FoundProvider, None]:
        """Providers of `cid` under either key as they are found, with the key, the distance and who said so."""
        async with aclosing(self.routing.find_provider_records(root_keys(cid), count, timeout_s)) as providers:
            async for provider in providers:
                yield provider

    def listen_addrs_text(self) -> list[str]:
        """Where this node is reached, each address with `/p2p/` and the peer id."""
        return [f"{address_text(addr)}/p2p/{self.peer_id}" for addr in self.connections.listen_addrs()]

    async def stats(self) -> NodeStats:
        """The node's figures now."""
        held = await self.blockstore.stats()
        return NodeStats(
            uptime_s=self._clock.wall() - self.started_at,
            peers=len({info.peer for info in self.connections.connections()}),
            files=await self.catalogue.count(),
            blocks=held.blocks,
            block_bytes=held.size_bytes,
            blocks_sent=self._server.blocks_sent,
            bytes_sent=self._server.bytes_sent,
            streams_refused=self._host.streams_refused,
            dht=await self.routing.stats(),
        )
