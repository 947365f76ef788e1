"""The host: identity, listening, dialling and streams put together; implements the `Streams` and `Connections` ports.

It is composed of py-libp2p's parts (keys, Noise handshake, security and muxer negotiation, identify's messages) in
place of its `BasicHost` and `Swarm`; `chiral/ARCHITECTURE.md` says why. What they do lives in modules of their own.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import trio
from libp2p.crypto.keys import KeyPair
from trio import TaskStatus

from chiral.clock import Clock
from chiral.errors import LimitExceededError, PeerUnreachableError, RemoteError, sole_error
from chiral.events.bus import EventBus
from chiral.events.types import PeerConnected, PeerDisconnected
from chiral.host import identify, ping
from chiral.host.address_book import AddressBook
from chiral.host.connection import Connection
from chiral.host.connection_table import ConnectionTable
from chiral.host.dialer import Dialer
from chiral.host.identity import peer_id_of
from chiral.host.inbound import Inbound
from chiral.host.listener import Listener
from chiral.host.opening import open_stream
from chiral.host.settings import HostSettings
from chiral.host.upgrade import Upgrader
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import ConnectionInfo, ConnectionListener, Stream, StreamHandler

logger = logging.getLogger(__name__)

_IDENTIFIED_TTL_S = 24 * 3600.0
_GIVEN_TTL_S = 3600.0
_CLOSE_S = 0.5


class _Dial:
    """A dial under way, for all who wait for the same peer."""

    def __init__(self) -> None:
        self.over = trio.Event()
        self.error: RemoteError | None = None


class Host:
    """Made by `open_host`, lives as long as its block."""

    def __init__(self, settings: HostSettings, key_pair: KeyPair, clock: Clock, bus: EventBus, agent: str) -> None:
        self._settings = settings
        self._clock = clock
        self._bus = bus
        self._peer = peer_id_of(key_pair)
        self._listener = Listener()
        self._book = AddressBook(clock)
        self._upgrader = Upgrader(key_pair, clock)
        self._dialer = Dialer(
            self._book,
            self._upgrader.outbound,
            clock,
            max_dials=settings.max_dials,
            timeout_s=settings.dial_timeout_s,
        )
        self._table = ConnectionTable(
            settings.max_connections, settings.max_connections_per_peer, self._on_joined, self._on_left
        )
        self._handlers: dict[str, StreamHandler] = {}
        self._inbound = Inbound(self._handlers, settings.negotiate_timeout_s)
        self._identifier = identify.Identifier(key_pair, agent, self.listen_addrs, lambda: tuple(self._handlers))
        self._pending_inbound = trio.CapacityLimiter(settings.max_pending_inbound)
        self._dials: dict[PeerId, _Dial] = {}
        self._identified: list[ConnectionListener] = []
        self._disconnected: list[ConnectionListener] = []
        self._nursery: trio.Nursery | None = None
        self.serve(identify.PROTOCOL, self._identifier.serve)
        self.serve(identify.PUSH_PROTOCOL, self._take_push)
        self.serve(ping.PROTOCOL, ping.serve_ping)

    # -- Streams

    @property
    def local_peer(self) -> PeerId:
        return self._peer

    def serve(self, protocol: str, handler: StreamHandler) -> None:
        self._handlers[protocol] = handler

    async def open(self, peer: PeerId, protocols: Sequence[str]) -> Stream:
        connection = await self._connected(peer)
        known = self._table.identity_of(peer).protocols
        return await open_stream(connection, protocols, known, self._settings.negotiate_timeout_s)

    async def request(self, peer: PeerId, protocol: str, payload: bytes, *, limit_bytes: int) -> bytes:
        stream = await self.open(peer, [protocol])
        try:
            await stream.finish(payload)
            return await stream.read_to_end(limit_bytes)
        except BaseException:
            with trio.CancelScope(shield=True):
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

    def is_connected(self, peer: PeerId) -> bool:
        return self._table.live(peer) is not None

    def protocols_of(self, peer: PeerId) -> frozenset[str]:
        return self._table.identity_of(peer).protocols

    def connections(self) -> list[ConnectionInfo]:
        return self._table.infos()

    async def connect(self, info: PeerInfo) -> None:
        if info.peer == self._peer:
            raise PeerUnreachableError("that is this node itself")
        self.add_addrs(info.peer, info.addrs, ttl_s=_GIVEN_TTL_S)
        await self._connected(info.peer)

    async def disconnect(self, peer: PeerId) -> None:
        for connection in self._table.of(peer):
            await connection.close()
            self._table.remove(connection)

    def on_identified(self, listener: ConnectionListener) -> None:
        self._identified.append(listener)

    def on_disconnected(self, listener: ConnectionListener) -> None:
        self._disconnected.append(listener)

    # -- Life

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Listen and serve within the block. Raises `ListenError` on entry for an address that cannot be had."""
        await self._listener.bind(self._settings.listen)
        with sole_error():
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._listener.serve, self._accept, nursery)
                try:
                    yield
                finally:
                    with trio.CancelScope(shield=True):
                        await self._close()
                    nursery.cancel_scope.cancel()

    async def _close(self) -> None:
        """Give back the ports and say good-bye on all connections at once, within half a second."""
        with trio.move_on_after(_CLOSE_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listener.close)
                for connection in self._table.all():
                    nursery.start_soon(connection.close)

    async def _accept(self, tcp: trio.SocketStream) -> None:
        """Live with an accepted socket; it is closed when this returns. Turn it away where a limit is reached."""
        try:
            connection = await self._upgraded(tcp)
            self._table.add(connection)
        except (RemoteError, OSError, trio.TooSlowError) as error:
            logger.debug("inbound connection turned away: %s", error)
        except Exception:
            logger.exception("inbound connection failed")
        else:
            await self._live(connection)

    async def _upgraded(self, tcp: trio.SocketStream) -> Connection:
        """An accepted socket's connection. Raises `trio.TooSlowError`, `LimitExceededError` or another fault."""
        if self._table.full:
            raise LimitExceededError("connection limit reached (host.max_connections)")
        try:
            self._pending_inbound.acquire_on_behalf_of_nowait(tcp)
        except trio.WouldBlock:
            raise LimitExceededError("too many handshakes at once (host.max_pending_inbound)") from None
        try:
            with trio.fail_after(self._settings.inbound_timeout_s):
                return await self._upgrader.inbound(tcp)
        finally:
            self._pending_inbound.release_on_behalf_of(tcp)

    async def _connected(self, peer: PeerId) -> Connection:
        """A live connection to `peer`: one there is, one being dialled for somebody else, or a new one."""
        connection = self._table.live(peer)
        if connection is not None:
            return connection
        dial = self._dials.get(peer)
        if dial is None:
            if self._nursery is None:
                raise PeerUnreachableError("this node is not running")
            dial = self._dials[peer] = _Dial()
            self._nursery.start_soon(self._dial, peer, dial)
        await dial.over.wait()
        connection = self._table.live(peer)
        if connection is None:
            raise dial.error or PeerUnreachableError(f"{peer} closed the connection at once")
        return connection

    async def _dial(self, peer: PeerId, dial: _Dial) -> None:
        """Runs in the host's nursery, so that one waiter's deadline does not end the dial for the others."""
        try:
            await self._enter(await self._dialer.dial(peer))
        except RemoteError as error:
            dial.error = error
        except Exception as error:
            logger.exception("dialling %s failed", peer.short)
            dial.error = PeerUnreachableError(f"{peer} cannot be reached ({error})")
        finally:
            self._dials.pop(peer, None)
            dial.over.set()

    async def _enter(self, connection: Connection) -> None:
        """Put a fresh connection into the table and start its life; raises `LimitExceededError`."""
        assert self._nursery is not None
        try:
            self._table.add(connection)
        except LimitExceededError:
            await connection.close()
            raise
        try:
            await self._nursery.start(self._live, connection)
        except BaseException:
            self._table.remove(connection)
            raise

    async def _live(self, connection: Connection, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """The life of a connection in the table, up to its end and its leaving."""
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(connection.run, self._inbound)
                task_status.started()
                nursery.start_soon(self._identify, connection)
        except Exception:
            logger.exception("connection to %s failed", connection.peer.short)
        finally:
            self._table.remove(connection)

    # -- Identify

    async def _identify(self, connection: Connection) -> None:
        peer = connection.peer
        with trio.move_on_after(self._settings.identify_timeout_s):
            try:
                stream = await open_stream(
                    connection, [identify.PROTOCOL], frozenset({identify.PROTOCOL}), self._settings.negotiate_timeout_s
                )
                try:
                    await stream.finish()
                    self._learn(peer, await stream.read_to_end(identify.MAX_MESSAGE_BYTES))
                finally:
                    with trio.CancelScope(shield=True):
                        await stream.reset()
            except RemoteError as error:
                logger.debug("identifying %s: %s", peer.short, error)

    async def _take_push(self, stream: Stream) -> None:
        self._learn(stream.peer, await stream.read_to_end(identify.MAX_MESSAGE_BYTES))

    def _learn(self, peer: PeerId, message: bytes) -> None:
        identity = identify.decode(message, peer)
        self._table.identified(peer, identity)
        self.add_addrs(peer, identity.addrs, ttl_s=_IDENTIFIED_TTL_S)
        for listener in self._identified:
            listener(peer)

    def _on_joined(self, peer: PeerId) -> None:
        self._bus.publish(PeerConnected(peer))

    def _on_left(self, peer: PeerId) -> None:
        self._bus.publish(PeerDisconnected(peer))
        for listener in self._disconnected:
            listener(peer)
