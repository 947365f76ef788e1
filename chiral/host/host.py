"""The host: identity, listening, dialling and streams put together; implements the `Streams` and `Connections` ports.

It is composed of py-libp2p's parts (keys, Noise handshake, identify's messages) in place of its `BasicHost` and
`Swarm`; `chiral/ARCHITECTURE.md` says why. What they do lives in modules of their own.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio
from libp2p.crypto.keys import KeyPair

from chiral.clock import Clock
from chiral.errors import LimitExceededError, PeerUnreachableError, RemoteError, sole_error
from chiral.events.bus import EventBus
from chiral.events.types import PeerConnected, PeerDisconnected
from chiral.host import identify, ping
from chiral.host.acquaintances import Acquaintances
from chiral.host.address_book import AddressBook
from chiral.host.connection import Connection, ConnectionLostError
from chiral.host.connection_table import ConnectionTable
from chiral.host.dialer import Dialer
from chiral.host.dials import Dials
from chiral.host.hold import hold_while_used
from chiral.host.identity import peer_id_of
from chiral.host.inbound import Inbound
from chiral.host.introductions import Introductions
from chiral.host.listener import Listener
from chiral.host.opening import StreamOpener
from chiral.host.peer_listeners import PeerListeners
from chiral.host.reception import Reception
from chiral.host.settings import HostSettings
from chiral.host.stream import HostStream
from chiral.host.upgrade import Upgrader
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import ConnectionInfo, ConnectionListener, Stream, StreamHandler

logger = logging.getLogger(__name__)

_GIVEN_TTL_S = 3600.0
_CLOSE_S = 0.5


class Host:
    """Made of its parts here, alive within the block of `run`, which can be entered once."""

    def __init__(self, settings: HostSettings, key_pair: KeyPair, clock: Clock, bus: EventBus, agent: str) -> None:
        self._settings = settings
        self._clock = clock
        self._bus = bus
        self._peer = peer_id_of(key_pair)
        self._listener = Listener(clock)
        self._book = AddressBook(clock)
        self._acquaintances = Acquaintances()
        upgrader = Upgrader(key_pair, clock)
        self._reception = Reception(upgrader.inbound, settings.max_pending_inbound, settings.inbound_timeout_s)
        self._dialer = Dialer(
            self._book, upgrader.outbound, clock, max_dials=settings.max_dials, timeout_s=settings.dial_timeout_s
        )
        self._dials: Dials | None = None
        self._table = ConnectionTable(
            settings.max_connections, settings.max_connections_per_peer, self._on_joined, self._on_left
        )
        self._disconnected = PeerListeners()
        self._handlers: dict[str, StreamHandler] = {}
        self._inbound = Inbound(self._handlers, settings.negotiate_timeout_s)
        self._opener = StreamOpener(self._acquaintances.refused, settings.negotiate_timeout_s)
        identifier = identify.Identifier(key_pair, agent, self.listen_addrs, lambda: tuple(self._handlers))
        self._introductions = Introductions(
            identifier, self._acquaintances, self._book, self._opener, settings.identify_timeout_s
        )
        self.serve(identify.PROTOCOL, identifier.serve)
        self.serve(identify.PUSH_PROTOCOL, self._introductions.take_push)
        self.serve(ping.PROTOCOL, ping.serve_ping)

    # -- Streams

    @property
    def local_peer(self) -> PeerId:
        return self._peer

    def serve(self, protocol: str, handler: StreamHandler) -> None:
        self._handlers[protocol] = handler
        self._introductions.changed()

    def unserve(self, protocol: str) -> None:
        if self._handlers.pop(protocol, None) is not None:
            self._introductions.changed()

    async def open(self, peer: PeerId, protocols: Sequence[str]) -> Stream:
        return await self._open(peer, protocols)

    async def request(self, peer: PeerId, protocol: str, payload: bytes, *, limit_bytes: int) -> bytes:
        stream = await self._open(peer, (protocol,))
        try:
            await stream.finish(payload)
            return await stream.read_to_end(limit_bytes)
        except BaseException:
            await stream.reset()
            raise

    @property
    def streams_refused(self) -> int:
        """Inbound streams that ended for the remote's fault."""
        return self._inbound.refused

    async def ping(self, peer: PeerId, timeout_s: float) -> float:
        """Seconds one round trip to `peer` takes; raises a `RemoteError`."""
        return await ping.ping(self, self._clock, peer, timeout_s)

    # -- Connections

    def add_addrs(self, peer: PeerId, addrs: Iterable[bytes], *, ttl_s: float) -> None:
        if peer != self._peer:
            self._book.add(peer, addrs, ttl_s=ttl_s)

    def addrs_of(self, peer: PeerId) -> tuple[bytes, ...]:
        return self._book.of(peer)

    def listen_addrs(self) -> tuple[bytes, ...]:
        return self._listener.addrs()

    def remote_addrs(self, peer: PeerId) -> tuple[bytes, ...]:
        return tuple(connection.addr for connection in self._table.of(peer))

    def is_connected(self, peer: PeerId) -> bool:
        return self._table.live(peer) is not None

    def protocols_of(self, peer: PeerId) -> frozenset[str]:
        return self._acquaintances.of(peer).protocols

    def connections(self) -> list[ConnectionInfo]:
        return self._table.infos(self._acquaintances.of)

    async def connect(self, info: PeerInfo) -> None:
        if info.peer == self._peer:
            raise PeerUnreachableError("that is this node itself")
        self.add_addrs(info.peer, info.addrs, ttl_s=_GIVEN_TTL_S)
        if self._table.live(info.peer) is None:
            await self._dial(info.peer)

    async def disconnect(self, peer: PeerId) -> None:
        for connection in self._table.of(peer):
            await connection.close()
            self._table.remove(connection)

    def on_identified(self, listener: ConnectionListener) -> None:
        self._introductions.identified.add(listener)

    def on_disconnected(self, listener: ConnectionListener) -> None:
        self._disconnected.add(listener)

    # -- Life

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Listen and serve within the block. Raises `ListenError` on entry for an address that cannot be had."""
        await self._listener.bind(self._settings.listen)
        with sole_error():
            async with trio.open_nursery() as nursery:
                self._dials = Dials(self._dialer.dial, partial(self._enter, nursery), nursery)
                nursery.start_soon(self._listener.serve, self._accept, nursery)
                nursery.start_soon(self._introductions.run, self._table.all)
                try:
                    yield
                finally:
                    self._dials = None
                    with trio.CancelScope(shield=True):
                        await self._close()
                    nursery.cancel_scope.cancel()

    async def _close(self) -> None:
        """Give back the ports and say good-bye on all connections at once, within half a second."""
        self._listener.close()
        with trio.move_on_after(_CLOSE_S):
            async with trio.open_nursery() as nursery:
                for connection in self._table.all():
                    nursery.start_soon(connection.close)

    async def _accept(self, tcp: trio.SocketStream) -> None:
        """Live with an accepted socket; it is closed when this returns. Turn it away where a limit is reached."""
        try:
            if self._table.full:
                raise LimitExceededError("connection limit reached (host.max_connections)")
            connection = await self._reception.receive(tcp)
            self._table.add(connection)
        except RemoteError as error:
            logger.debug("inbound connection turned away: %s", error)
        except Exception:
            logger.exception("inbound connection failed")
        else:
            await self._live(connection)

    async def _enter(self, nursery: trio.Nursery, connection: Connection) -> None:
        """Put a dialled connection into the table and start its life; raises `LimitExceededError`."""
        try:
            self._table.add(connection)
        except LimitExceededError:
            await connection.close()
            raise
        nursery.start_soon(self._live, connection)

    async def _live(self, connection: Connection) -> None:
        """The life of a connection in the table, up to its end and its leaving."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connection.serve, self._inbound)
                nursery.start_soon(hold_while_used, connection, lambda: self._acquaintances.of(connection.peer).agent)
                nursery.start_soon(self._introductions.ask, connection)
                try:
                    await connection.run()
                finally:
                    self._table.remove(connection)
        except Exception:
            logger.exception("connection to %s failed", connection.peer)
            await connection.close()

    # -- What connections are used for

    async def _dial(self, peer: PeerId) -> Connection:
        """A new connection to `peer`, shared with whoever is having it dialled already."""
        if self._dials is None:
            raise PeerUnreachableError("this node is not running")
        return await self._dials.connection_to(peer)

    async def _open(self, peer: PeerId, protocols: Sequence[str]) -> HostStream:
        try:
            return await self._open_once(peer, protocols)
        except ConnectionLostError:  # some peers close a connection the moment it is idle; nothing was sent on it yet
            return await self._open_once(peer, protocols)

    async def _open_once(self, peer: PeerId, protocols: Sequence[str]) -> HostStream:
        connection = self._table.live(peer) or await self._dial(peer)
        return await self._opener.open(connection, protocols, self._acquaintances.of(peer).protocols)

    def _on_joined(self, peer: PeerId) -> None:
        self._bus.publish(PeerConnected(peer))

    def _on_left(self, peer: PeerId) -> None:
        self._bus.publish(PeerDisconnected(peer))
        self._disconnected.tell(peer)
