"""Many peers in one process: fakes of the `Streams` and `Connections` ports over in-memory pipes, with faults on call.

A `FakeSwarm` is the network, a `FakeNode` one peer of it, both ports in one. Peers are dialled by address, as real ones
are: who knows no address of a peer cannot reach it. An inbound connection's address is an ephemeral one that nobody
listens on. Time is trio's clock, so `autojump_clock` makes latencies and deadlines cost nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import trio

from chiral.errors import PeerUnreachableError, RemoteError
from chiral.interface.peer import PeerId, PeerInfo
from tests.fakes.link import Connection, End
from tests.fakes.stream_node import FakeNode


class FakeSwarm:
    """The network. `latency_s` is what every message and dial takes one way; `refusals` what handlers raised."""

    def __init__(self, nursery: trio.Nursery, *, latency_s: float = 0.0) -> None:
        self.nursery = nursery
        self.latency_s = latency_s
        self.identify_s = 0.0
        """How long identify takes after a connection stands."""
        self.nodes: dict[PeerId, FakeNode] = {}
        self.refusals: deque[tuple[PeerId, RemoteError]] = deque(maxlen=1000)
        self._by_addr: dict[bytes, FakeNode] = {}
        self._dead: set[PeerId] = set()
        self._stalled: set[PeerId] = set()
        self._ports = 40_000

    def node(self, number: int, *, listens: bool = True) -> FakeNode:
        """A new peer; with `listens` false nobody can dial it."""
        node = FakeNode(self, number, listens=listens)
        self.nodes[node.local_peer] = node
        self._by_addr.update(dict.fromkeys(node.listen_addrs(), node))
        return node

    def info(self, node: FakeNode) -> PeerInfo:
        """The node as others are told of it."""
        return PeerInfo(node.local_peer, node.listen_addrs())

    def kill(self, peer: PeerId) -> None:
        """The peer's process is gone: its connections break and its addresses refuse, until `revive`."""
        self._dead.add(peer)
        self.nodes[peer].close_all()

    def revive(self, peer: PeerId) -> None:
        self._dead.discard(peer)

    def stall(self, peer: PeerId) -> None:
        """The peer takes connections and streams and never answers, until `unstall`."""
        self._stalled.add(peer)

    def unstall(self, peer: PeerId) -> None:
        self._stalled.discard(peer)

    def is_stalled(self, peer: PeerId) -> bool:
        return peer in self._stalled

    def reset_streams(self, peer: PeerId) -> None:
        """Every stream of the peer is reset; its connections stand."""
        for connection in self.nodes[peer].live_connections():
            for stream in list(connection.streams):
                stream.break_()

    @contextmanager
    def stalled(self, *peers: PeerId) -> Iterator[None]:
        """The peers stall within the block."""
        for peer in peers:
            self.stall(peer)
        try:
            yield
        finally:
            for peer in peers:
                self.unstall(peer)

    async def travel(self) -> None:
        """What one way between two peers takes."""
        await trio.sleep(self.latency_s)

    async def dial(self, node: FakeNode, peer: PeerId, addrs: Iterable[bytes]) -> Connection:
        """A new connection of `node` to `peer` at one of `addrs`."""
        await self.travel()
        for addr in addrs:
            remote = self._by_addr.get(addr)
            if remote is None or remote.local_peer != peer or peer in self._dead or node.local_peer in self._dead:
                continue
            self._ports += 1
            connection = Connection(self, node, remote, addr, self._ports, trio.current_time())
            node.gained(connection)
            remote.gained(connection)
            self.nursery.start_soon(self._identify, connection)
            return connection
        raise PeerUnreachableError(f"no address of {peer.short} answers")

    async def push(self, connection: Connection, teller: End) -> None:
        """`teller`, whose protocols have changed, tells the other end of the connection."""
        await trio.sleep(self.latency_s)
        if connection.alive and not self.is_stalled(teller.local_peer):
            connection.other(teller).identified(teller)

    async def _identify(self, connection: Connection) -> None:
        await trio.sleep(2 * self.latency_s + self.identify_s)
        if not connection.alive:
            return
        for node in (connection.dialler, connection.listener):
            remote = connection.other(node)
            if not self.is_stalled(remote.local_peer):
                node.identified(remote)
