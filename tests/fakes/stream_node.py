"""One peer of a `FakeSwarm`: the ports `Streams` and `Connections` in one object."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Protocol

import trio

from chiral.errors import PeerUnreachableError, RemoteError, StreamResetError, UnsupportedProtocolError
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import ConnectionInfo, ConnectionListener, StreamHandler
from tests.fakes.link import Connection, End, FakeStream, Network, address
from tests.fakes.pipe import Pipe


class Swarm(Network, Protocol):
    """What a node needs of the network."""

    nursery: trio.Nursery
    refusals: deque[tuple[PeerId, RemoteError]]

    async def travel(self) -> None: ...

    async def push(self, connection: Connection, teller: End) -> None: ...

    async def dial(self, node: FakeNode, peer: PeerId, addrs: Iterable[bytes]) -> Connection: ...


def peer_id(number: int) -> PeerId:
    """The peer id of peer `number`: the same in every run, spread evenly over the key space."""
    return PeerId(b"\x12\x20" + sha256(b"fake peer %d" % number).digest())


class FakeNode:
    """One peer: the ports `Streams` and `Connections` in one."""

    def __init__(self, swarm: Swarm, number: int, *, listens: bool = True) -> None:
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
        self.handlers: dict[str, StreamHandler] = {}
        self._book: dict[PeerId, dict[bytes, float]] = {}
        self._live: dict[PeerId, list[Connection]] = {}
        self._identified: dict[PeerId, frozenset[str]] = {}
        self._on_identified: list[ConnectionListener] = []
        self._on_disconnected: list[ConnectionListener] = []

    # Streams.

    @property
    def local_peer(self) -> PeerId:
        return self._peer

    def serve(self, protocol: str, handler: StreamHandler) -> None:
        self.handlers[protocol] = handler
        self._push()

    def unserve(self, protocol: str) -> None:
        if self.handlers.pop(protocol, None) is not None:
            self._push()

    async def open(self, peer: PeerId, protocols: Sequence[str]) -> FakeStream:
        connection = await self._connection_to(peer, ())
        if self._swarm.is_stalled(peer):
            await trio.sleep_forever()
        await self._swarm.travel()
        if not connection.alive:
            raise StreamResetError(f"connection to {peer.short} was lost")
        remote = connection.other(self)
        protocol = next((name for name in protocols if name in remote.handlers), None)
        if protocol is None:
            raise UnsupportedProtocolError(f"{peer.short} speaks none of {', '.join(protocols)}")
        self.opened[peer, protocol] += 1
        there, back = Pipe(), Pipe()
        ours = FakeStream(connection, self, protocol, back, there)
        theirs = FakeStream(connection, remote, protocol, there, back)
        connection.streams |= {ours, theirs}
        self._swarm.nursery.start_soon(remote.answer, theirs, remote.handlers[protocol])
        return ours

    async def request(self, peer: PeerId, protocol: str, payload: bytes, *, limit_bytes: int) -> bytes:
        stream = await self.open(peer, [protocol])
        try:
            await stream.finish(payload)
            return await stream.read_to_end(limit_bytes)
        except BaseException:
            stream.break_()
            raise

    async def answer(self, stream: FakeStream, handler: StreamHandler) -> None:
        """Serve an inbound stream as the port promises: closed when the handler returns, reset when it raises."""
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

    def remote_addrs(self, peer: PeerId) -> tuple[bytes, ...]:
        return tuple(connection.remote_addr(self) for connection in self._live.get(peer, ()))

    def is_connected(self, peer: PeerId) -> bool:
        return bool(self._live.get(peer))

    def protocols_of(self, peer: PeerId) -> frozenset[str]:
        return self._identified.get(peer, frozenset()) if self.is_connected(peer) else frozenset()

    def connections(self) -> list[ConnectionInfo]:
        return [
            ConnectionInfo(
                c.other(self).local_peer,
                c.remote_addr(self),
                c.direction(self),
                c.since,
                protocols=tuple(sorted(self.protocols_of(c.other(self).local_peer))),
                streams=len(c.streams) // 2,
            )
            for c in self.live_connections()
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

    def lost(self, connection: Connection) -> None:
        """A connection of this node is gone."""
        peer = connection.other(self).local_peer
        live = self._live.get(peer, [])
        if connection in live:
            live.remove(connection)
        if not live:
            self._live.pop(peer, None)
            for listener in self._on_disconnected:
                listener(peer)

    def gained(self, connection: Connection) -> None:
        """A connection of this node stands."""
        self._live.setdefault(connection.other(self).local_peer, []).append(connection)

    def identified(self, remote: End) -> None:
        """Learn what identify tells of `remote`."""
        self._identified[remote.local_peer] = frozenset(remote.handlers)
        self.add_addrs(remote.local_peer, remote.listen_addrs(), ttl_s=3600.0)
        for listener in self._on_identified:
            listener(remote.local_peer)

    def _push(self) -> None:
        """Tell connected peers, as identify's push does, that what this node serves has changed."""
        for connection in self.live_connections():
            self._swarm.nursery.start_soon(self._swarm.push, connection, self)

    def live_connections(self) -> list[Connection]:
        """The connections that stand."""
        return [connection for live in self._live.values() for connection in live]

    def open_streams(self) -> int:
        """How many streams this node holds an open side of."""
        return sum(stream.local is self for live in self.live_connections() for stream in live.streams)

    def close_all(self) -> None:
        """Lose every connection."""
        for connection in self.live_connections():
            connection.close()

    async def _connection_to(self, peer: PeerId, addrs: Iterable[bytes]) -> Connection:
        await trio.lowlevel.checkpoint()
        if live := self._live.get(peer):
            return live[-1]
        if peer == self._peer:
            raise PeerUnreachableError("a node does not dial itself")
        return await self._swarm.dial(self, peer, dict.fromkeys((*addrs, *self.addrs_of(peer))))
