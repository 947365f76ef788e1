"""A swarm of DHT nodes in one process, for the tests of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import trio

from chiral.clock import TrioClock
from chiral.interface.datastore import Datastore
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import Stream
from chiral.kad.framing import frame_message
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, MessageType, PeerEntry
from chiral.kad.validation import Validators
from chiral.routing.inbox import Inbox
from chiral.routing.kademlia import NO_RENEWERS, NO_VALIDATORS, Kademlia
from chiral.routing.overlay import Overlay
from chiral.routing.settings import KadSettings
from chiral.routing.value_republishing import Renewers
from tests.fakes.memory_store import MemoryDatastore
from tests.fakes.records import MemoryProviderStore, MemoryValueStore
from tests.fakes.stream_node import FakeNode
from tests.fakes.streams import FakeSwarm

KAD = "/ipfs/kad/1.0.0"
LAN = "/ipfs/lan/kad/1.0.0"
HOUR_S = 3600.0


@dataclass(eq=False)
class DhtNode:
    """A fake node with a DHT on it."""

    node: FakeNode
    kad: Kademlia
    providers: MemoryProviderStore
    values: MemoryValueStore

    @property
    def peer(self) -> PeerId:
        return self.node.local_peer

    @property
    def info(self) -> PeerInfo:
        return PeerInfo(self.peer, self.node.listen_addrs())

    @property
    def entry(self) -> PeerEntry:
        return PeerEntry(self.peer.raw, self.node.listen_addrs())

    def overlay(self, index: int = 0) -> Overlay:
        return self.kad._queries[index].overlay

    @property
    def table(self) -> set[PeerId]:
        """The peers in the first routing table."""
        return {entry.peer for entry in self.overlay().table}

    async def find(self, keys: Sequence[bytes], count: int = 100, timeout_s: float = 30.0) -> list[PeerInfo]:
        """All providers a search reports."""
        found: list[PeerInfo] = []
        async with aclosing(self.kad.find_providers(keys, count, timeout_s)) as search:
            async for info in search:
                found.append(info)
        return found


@dataclass
class Net:
    """The swarm and its DHT nodes, in the order they were added."""

    swarm: FakeSwarm
    nursery: trio.Nursery
    clock: TrioClock = field(default_factory=TrioClock)
    nodes: list[DhtNode] = field(default_factory=list)

    async def add(
        self,
        settings: KadSettings | None = None,
        *,
        number: int | None = None,
        listens: bool = True,
        validators: Validators = NO_VALIDATORS,
        renewers: Renewers = NO_RENEWERS,
        providers: MemoryProviderStore | None = None,
        datastore: Datastore | None = None,
        run: bool = True,
    ) -> DhtNode:
        """A new node, connected to nobody."""
        node = self.swarm.node(len(self.nodes) if number is None else number, listens=listens)
        stores = providers or MemoryProviderStore(), MemoryValueStore()
        kad = Kademlia(
            streams=node,
            connections=node,
            providers=stores[0],
            values=stores[1],
            datastore=MemoryDatastore() if datastore is None else datastore,
            clock=self.clock,
            settings=settings,
            validators=validators,
            renewers=renewers,
            noise=lambda: 0,
        )
        if run:
            await self.nursery.start(kad.run)
        made = DhtNode(node, kad, *stores)
        self.nodes.append(made)
        return made

    async def grow(self, count: int, settings: KadSettings | None = None) -> list[DhtNode]:
        """`count` more nodes, each joined through the first of all."""
        made = []
        for _ in range(count):
            node = await self.add(settings)
            if len(self.nodes) > 1:
                await node.kad.bootstrap([self.nodes[0].info])
            made.append(node)
        return made

    def fake(self, number: int) -> FakeNode:
        """A peer without a DHT of its own, to play a strange one."""
        return self.swarm.node(number)


@asynccontextmanager
async def running(latency_s: float = 0.0) -> AsyncIterator[Net]:
    """An empty swarm; everything in it ends with the block."""
    async with trio.open_nursery() as nursery:
        yield Net(FakeSwarm(nursery, latency_s=latency_s), nursery)
        nursery.cancel_scope.cancel()


def closest(peers: Sequence[PeerId], key: bytes, count: int) -> list[PeerId]:
    """The `count` of `peers` closest to `key`, by sorting them all."""
    target = KadKey.of(key)
    return sorted(peers, key=lambda peer: target.distance(KadKey.of(peer.raw)))[:count]


async def exchange(node: FakeNode, peer: PeerId, message: Message, protocol: str = KAD) -> Message | None:
    """One request of a strange node, and the answer."""
    stream = await node.open(peer, [protocol])
    await stream.finish(frame_message(message))
    return await Inbox(stream).next()


async def holders(net: Net, key: bytes, provider: PeerId) -> set[PeerId]:
    """The nodes whose store holds that `provider` provides `key`."""
    now = net.clock.wall()
    return {
        node.peer for node in net.nodes if any(record.peer == provider for record in await node.providers.get(key, now))
    }


class Scripted:
    """A handler that answers every request with what `reply` makes of it; None resets the stream."""

    def __init__(self, reply: bytes | Message) -> None:
        self.reply = reply
        self.requests: list[Message] = []

    async def __call__(self, stream: Stream) -> None:
        inbox = Inbox(stream)
        while (request := await inbox.next()) is not None:
            self.requests.append(request)
            await stream.write(self.reply if isinstance(self.reply, bytes) else frame_message(self.reply))


def find_node(key: bytes) -> Message:
    return Message(MessageType.FIND_NODE, key)


def add_provider(key: bytes, peer: PeerId, *addrs: bytes) -> Message:
    return Message(MessageType.ADD_PROVIDER, key, providers=(PeerEntry(peer.raw, addrs),))


async def stranger(net: Net, node: DhtNode, number: int = 500) -> FakeNode:
    """A peer that serves no DHT, connected and identified."""
    strange = net.fake(number)
    await strange.connect(node.info)
    await trio.sleep(0.1)
    return strange
