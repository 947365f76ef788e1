"""Many peers in one process: fakes of the `Streams` and `Connections` ports over in-memory pipes, with faults on call.

A `FakeSwarm` is the network, a `FakeNode` one peer of it, both ports in one. Peers are dialled by address, as real ones:
who does not know an address of a peer cannot reach it. An inbound connection's address is an ephemeral one that nobody
listens on. Time is trio's clock, so `autojump_clock` makes latencies and deadlines cost nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

import trio

from chiral.errors import (
    LimitExceededError,
    PeerUnreachableError,
    RemoteError,
    StreamResetError,
    UnsupportedProtocolError,
)
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import ConnectionInfo, ConnectionListener, Direction, StreamHandler

WINDOW_BYTES = 256 * 1024


def peer_id(number: int) -> PeerId:
    """The peer id of peer `number`: the same in every run, spread evenly over the key space."""
    return PeerId(b"\x12\x20" + sha256(b"fake peer %d" % number).digest())


def address(number: int, port: int = 4001) -> bytes:
    """The binary multiaddr /ip4/10.x.y.z/tcp/port of peer `number`."""
    return b"\x04\x0a" + number.to_bytes(3, "big") + b"\x06" + port.to_bytes(2, "big")


class _Pipe:
    """One direction of a stream: bytes with the time they arrive at, an end, or a reset."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._ended_at: float | None = None
        self._broken = False
        self._changed = trio.lowlevel.ParkingLot()

    async def send(self, data: bytes, delay_s: float) -> None:
        while self._size >= WINDOW_BYTES and not self._broken:
            await self._changed.park()
        if self._broken:
            raise StreamResetError("stream was reset")
        if self._ended_at is not None:
            raise StreamResetError("stream is closed for writing")
        self._chunks.append((trio.current_time() + delay_s, data))
        self._size += len(data)
        self._changed.unpark_all()

    def end(self, delay_s: float) -> None:
        if self._ended_at is None:
            self._ended_at = trio.current_time() + delay_s
        self._changed.unpark_all()

    def break_(self) -> None:
        self._broken = True
        self._changed.unpark_all()

    async def receive(self, max_bytes: int) -> bytes:
        while True:
            if self._broken:
                raise StreamResetError("stream was reset")
            due = self._chunks[0][0] if self._chunks else self._ended_at
            if due is None:
                await self._changed.park()
            elif due > trio.current_time():
                with trio.move_on_at(due):
                    await self._changed.park()
            elif not self._chunks:
                return b""
            else:
                return self._take(max_bytes)

    def _take(self, max_bytes: int) -> bytes:
        due, data = self._chunks.popleft()
        if len(data) > max_bytes:
            self._chunks.appendleft((due, data[max_bytes:]))
        taken = data[:max_bytes]
        self._size -= len(taken)
        self._changed.unpark_all()
        return taken


class FakeStream:
    """One side of a stream between two fake nodes."""

    def __init__(
        self, connection: _Connection, local: FakeNode, protocol: str, incoming: _Pipe, outgoing: _Pipe
    ) -> None:
        self._connection = connection
        self._local = local
        self._protocol = protocol
        self._incoming = incoming
        self._outgoing = outgoing
        self._written = self._unread = False
        self.was_reset = False

    @property
    def peer(self) -> PeerId:
        return self._connection.other(self._local).local_peer

    @property
    def protocol(self) -> str:
        return self._protocol

    @property
    def remote_addr(self) -> bytes | None:
        return self._connection.remote_addr(self._local)

    async def read(self, max_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint()
        data = await self._incoming.receive(max_bytes)
        if not data:
            self._done(read=True)
        return data

    async def read_to_end(self, limit_bytes: int) -> bytes:
        parts = bytearray()
        while data := await self.read(65_536):
            parts += data
            if len(parts) > limit_bytes:
                raise LimitExceededError(f"answer is over {limit_bytes} bytes")
        return bytes(parts)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self._local.sent_bytes[self._protocol] += len(data)
        if self._connection.swarm.is_stalled(self.peer):
            return  # into the void: a stalled peer's machine takes bytes that its program never reads
        await self._outgoing.send(bytes(data), self._connection.swarm.latency_s)

    async def finish(self, data: bytes | bytearray | memoryview = b"") -> None:
        if data:
            await self.write(data)
        if not self._connection.swarm.is_stalled(self.peer):
            self._outgoing.end(self._connection.swarm.latency_s)
        self._done(written=True)

    async def close(self) -> None:
        await self.finish()
        self._done(read=True, written=True)

    async def reset(self) -> None:
        self.break_()

    def break_(self) -> None:
        """End both sides at once."""
        self.was_reset = True
        self._incoming.break_()
        self._outgoing.break_()
        self._done(read=True, written=True)

    def _done(self, *, read: bool = False, written: bool = False) -> None:
        self._unread |= read
        self._written |= written
        if self._unread and self._written:
            self._connection.forget(self)


@dataclass(eq=False)
class _Connection:
    """A live connection; `dialled` is the address the dialler used, `from_port` the dialler's own ephemeral one."""

    swarm: FakeSwarm
    dialler: FakeNode
    listener: FakeNode
    dialled: bytes
    from_port: int
    since: float
    streams: set[FakeStream] = field(default_factory=set)
    alive: bool = True

    def other(self, node: FakeNode) -> FakeNode:
        return self.listener if node is self.dialler else self.dialler

    def remote_addr(self, node: FakeNode) -> bytes:
        return self.dialled if node is self.dialler else address(self.dialler.number, self.from_port)

    def direction(self, node: FakeNode) -> Direction:
        return "outbound" if node is self.dialler else "inbound"

    def forget(self, stream: FakeStream) -> None:
        self.streams.discard(stream)
        if not self.streams and (self.dialler.closes_idle or self.listener.closes_idle):
            self.close()

    def close(self) -> None:
        if not self.alive:
            return
        self.alive = False
        for stream in list(self.streams):
            stream.break_()
        for node in (self.dialler, self.listener):
            node.lost(self)


class FakeNode:
    """One peer: the ports `Streams` and `Connections` in one."""

    def __init__(self, swarm: FakeSwarm, number: int, *, listens: bool = True) -> None:
        self.number = number
        self.closes_idle = False
        """Whether connections without streams are closed at once, as a Rust peer of 0.54 does."""
        self.opened: Counter[tuple[PeerId, str]] = Counter()
        """Streams this node opened, by peer and protocol."""
        self.sent_bytes: Counter[str] = Counter()
        """Bytes this node wrote, by protocol."""
        self._swarm = swarm
        self._peer = peer_id(number)
        self._listen = (address(number),) if listens else ()
        self._handlers: dict[str, StreamHandler] = {}
        self._book: dict[PeerId, dict[bytes, float]] = {}
        self._live: dict[PeerId, list[_Connection]] = {}
        self._identified: dict[PeerId, frozenset[str]] = {}
        self._on_identified: list[ConnectionListener] = []
        self._on_disconnected: list[ConnectionListener] = []

    # Streams.

    @property
    def local_peer(self) -> PeerId:
        return self._peer

    def serve(self, protocol: str, handler: StreamHandler) -> None:
        self._handlers[protocol] = handler

    async def open(self, peer: PeerId, protocols: Sequence[str]) -> FakeStream:
        connection = await self._connection_to(peer, ())
        if self._swarm.is_stalled(peer):
            await trio.sleep_forever()
        await self._swarm.travel()
        if not connection.alive:
            raise StreamResetError(f"connection to {peer.short} was lost")
        remote = connection.other(self)
        protocol = next((name for name in protocols if name in remote._handlers), None)
        if protocol is None:
            raise UnsupportedProtocolError(f"{peer.short} speaks none of {', '.join(protocols)}")
        self.opened[peer, protocol] += 1
        there, back = _Pipe(), _Pipe()
        ours = FakeStream(connection, self, protocol, back, there)
        theirs = FakeStream(connection, remote, protocol, there, back)
        connection.streams |= {ours, theirs}
        self._swarm.nursery.start_soon(remote._answer, theirs, remote._handlers[protocol])
        return ours

    async def request(self, peer: PeerId, protocol: str, payload: bytes, *, limit_bytes: int) -> bytes:
        stream = await self.open(peer, [protocol])
        try:
            await stream.finish(payload)
            return await stream.read_to_end(limit_bytes)
        except BaseException:
            stream.break_()
            raise

    async def _answer(self, stream: FakeStream, handler: StreamHandler) -> None:
        try:
            await handler(stream)
        except RemoteError as error:
            self._swarm.refusals.append((self._peer, error))
            stream.break_()
        else:
            if not stream.was_reset:
                await stream.close()

    # Connections.

    def add_addrs(self, peer: PeerId, addrs: Iterable[bytes], *, ttl_s: float) -> None:
        known = self._book.setdefault(peer, {})
        for addr in addrs:
            if len(addr) == 8 and addr[0] == 4 and addr[5] == 6:
                known[addr] = max(known.get(addr, 0.0), trio.current_time() + ttl_s)

    def addrs_of(self, peer: PeerId) -> tuple[bytes, ...]:
        return tuple(addr for addr, until in self._book.get(peer, {}).items() if until > trio.current_time())

    def forget_addrs(self, peer: PeerId) -> None:
        """Lose what is known of where `peer` is."""
        self._book.pop(peer, None)

    def listen_addrs(self) -> tuple[bytes, ...]:
        return self._listen

    def is_connected(self, peer: PeerId) -> bool:
        return bool(self._live.get(peer))

    def protocols_of(self, peer: PeerId) -> frozenset[str]:
        return self._identified.get(peer, frozenset()) if self.is_connected(peer) else frozenset()

    def connections(self) -> list[ConnectionInfo]:
        return [
            ConnectionInfo(peer, c.remote_addr(self), c.direction(self), c.since, streams=len(c.streams) // 2)
            for peer, live in self._live.items()
            for c in live
        ]

    async def connect(self, info: PeerInfo) -> None:
        await self._connection_to(info.peer, info.addrs)
        self.add_addrs(info.peer, info.addrs, ttl_s=3600.0)

    async def disconnect(self, peer: PeerId) -> None:
        await trio.lowlevel.checkpoint()
        for connection in list(self._live.get(peer, ())):
            connection.close()

    def on_identified(self, listener: ConnectionListener) -> None:
        self._on_identified.append(listener)

    def on_disconnected(self, listener: ConnectionListener) -> None:
        self._on_disconnected.append(listener)

    # Under the ports.

    def lost(self, connection: _Connection) -> None:
        """A connection of this node is gone."""
        peer = connection.other(self).local_peer
        live = self._live.get(peer, [])
        if connection in live:
            live.remove(connection)
        if not live:
            self._live.pop(peer, None)
            for listener in self._on_disconnected:
                listener(peer)

    def gained(self, connection: _Connection) -> None:
        """A connection of this node stands."""
        self._live.setdefault(connection.other(self).local_peer, []).append(connection)

    def identified(self, remote: FakeNode) -> None:
        """Learn what identify tells of `remote`."""
        self._identified[remote._peer] = frozenset(remote._handlers)
        self.add_addrs(remote._peer, remote._listen, ttl_s=3600.0)
        for listener in self._on_identified:
            listener(remote._peer)

    def close_all(self) -> None:
        """Lose every connection."""
        for connection in [c for live in self._live.values() for c in live]:
            connection.close()

    async def _connection_to(self, peer: PeerId, addrs: Iterable[bytes]) -> _Connection:
        await trio.lowlevel.checkpoint()
        if live := self._live.get(peer):
            return live[-1]
        if peer == self._peer:
            raise PeerUnreachableError("a node does not dial itself")
        return await self._swarm.dial(self, peer, dict.fromkeys((*addrs, *self.addrs_of(peer))))


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
        for live in self.nodes[peer]._live.values():
            for connection in live:
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

    async def dial(self, node: FakeNode, peer: PeerId, addrs: Iterable[bytes]) -> _Connection:
        """A new connection of `node` to `peer` at one of `addrs`."""
        await self.travel()
        for addr in addrs:
            remote = self._by_addr.get(addr)
            if remote is None or remote.local_peer != peer or peer in self._dead or node.local_peer in self._dead:
                continue
            self._ports += 1
            connection = _Connection(self, node, remote, addr, self._ports, trio.current_time())
            node.gained(connection)
            remote.gained(connection)
            self.nursery.start_soon(self._identify, connection)
            return connection
        raise PeerUnreachableError(f"no address of {peer.short} answers")

    async def _identify(self, connection: _Connection) -> None:
        await trio.sleep(2 * self.latency_s + self.identify_s)
        if not connection.alive:
            return
        for node in (connection.dialler, connection.listener):
            remote = connection.other(node)
            if not self.is_stalled(remote.local_peer):
                node.identified(remote)
