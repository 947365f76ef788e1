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
from chiral.clock import Clock, SystemClock
from chiral.config.model import NodeConfig
from chiral.errors import ChiralError, sole_error
from chiral.events.bus import EventBus
from chiral.exchange.client import BlockClient
from chiral.exchange.codec import PROTOCOL as BLOCK_PROTOCOL
from chiral.exchange.server import BlockServer
from chiral.files.archives import Archives
from chiral.files.expiry import Expiry
from chiral.files.files import Files
from chiral.files.library import Library
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
from chiral.node.announcements import root_keys
from chiral.node.bootstrap import bootstrap_peers
from chiral.node.content import Content, fetch_block
from chiral.node.stats import NodeStats
from chiral.node.value_rules import value_rules
from chiral.pinning.cleaning import Cleaner
from chiral.pinning.collector import Collector
from chiral.pinning.pinner import Pinner
from chiral.routing.kademlia import Kademlia
from chiral.store.store import Store, open_store
from chiral.store.upkeep import Upkeep
from chiral.transfer.finder import Finder
from chiral.transfer.swarm import Swarm

logger = logging.getLogger(__name__)


class Node:
    """A running node: `async with Node(config) as node`.

    Entering raises `StoreLockedError`, `FileAccessError`, `ListenError` or another `LocalError`. A bootstrap address
    that cannot be used is named in the log, and the others are used.
    """

    files: Files
    archives: Archives
    library: Library
    expiry: Expiry
    blockstore: Blockstore
    catalogue: Catalogue
    routing: Kademlia
    connections: Connections
    streams: Streams
    upkeep: Upkeep
    pinner: Pinner
    collector: Collector
    cleaner: Cleaner
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
                        self._content.run_in(nursery)
                        nursery.start_soon(self._join, bootstrap)
                        yield
                        nursery.cancel_scope.cancel()

    def _wire(self, store: Store, signer: KeySigner) -> None:
        """Join the rooms: ports are passed in, nothing finds another by itself."""
        config, host = self.config, self._host
        self.peer_id = host.local_peer
        self.connections = self.streams = host
        self.catalogue = store.catalogue
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
        self._content = content = Content.over(store, swarm, self.routing, signer, self.events, config, self._clock)
        self.blockstore, self.files, self.archives = content.blocks, content.files, content.archives
        self.library, self.expiry, self.upkeep = content.library, content.expiry, content.upkeep
        keeping = content.keeping
        self.pinner, self.collector, self.cleaner = keeping.pinner, keeping.collector, keeping.cleaner
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
        return await fetch_block(self._content.resolver, cid, timeout_s)

    async def provide(self, cid: CID) -> list[ProvideResult]:
        """Announce `cid` under both of its keys now."""
        return await self._content.announcements.provide(cid)

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
            store=held,
            pins=await self.pinner.counts(),
            collection=self.collector.status(),
            dht=await self.routing.stats(),
        )
