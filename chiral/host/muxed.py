"""One Yamux connection behind py-libp2p's `IMuxedConn`, and the negotiation that makes it.

Three tasks live in the nursery of `start`: one receives, one sends, one keeps the time (`muxed_pump`). The machine of
`chiral.yamux` decides; here is only waiting: for streams, for room, for the end.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio
from libp2p.abc import IMuxedConn, ISecureConn
from libp2p.connection_types import ConnectionType
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable
from multiaddr.multiaddr import Multiaddr

from chiral.errors import ChiralError
from chiral.host.muxed_pump import Pump
from chiral.host.muxed_stream import FastStream
from chiral.host.muxed_turns import WriteTurns
from chiral.host.secured import FastSession
from chiral.yamux.connection import Connection
from chiral.yamux.events import Event, StreamArrived, StreamReadable, StreamWritable
from chiral.yamux.frame import GoAwayCode
from chiral.yamux.limits import YamuxLimits
from chiral.yamux.stream import Stream

logger = logging.getLogger(__name__)

YAMUX_PROTOCOL = TProtocol("/yamux/1.0.0")
FAREWELL_S = 0.04
"""How long a connection that is closed here may take to say so."""


class FastMuxed(IMuxedConn):
    """A multiplexed connection over a `FastSession`.

    `death` is why it ended, None while it lives and after a `close` from here; `on_death` callbacks are called with the
    connection once it has ended, in the task that ended it, and must not raise.
    """

    def __init__(self, conn: ISecureConn, peer_id: ID, limits: YamuxLimits | None = None) -> None:
        if not isinstance(conn, FastSession):
            raise TypeError(f"FastMuxed runs over a FastSession, not {type(conn).__name__}")
        self.secured_conn = conn
        self.peer_id = peer_id
        self.event_started = trio.Event()
        self.event_closed = trio.Event()
        self.death: Exception | None = None
        self.on_death: list[Callable[[FastMuxed], None]] = []
        self.machine = Connection(initiator=conn.is_initiator, now=trio.current_time(), limits=limits)
        self._session = conn
        self._pump = Pump(conn, self.machine, self._tell, self._let_go_on)
        self.nudge = self._pump.nudge
        self.flush_soon = self._pump.flush_soon
        self._acceptors = trio.lowlevel.ParkingLot()
        self._openers = trio.lowlevel.ParkingLot()
        self.turns = WriteTurns(self.machine)
        self._closing = False
        self._scope: trio.CancelScope | None = None

    @property
    def is_initiator(self) -> bool:
        return self._session.is_initiator

    @property
    def is_established(self) -> bool:
        return self.event_started.is_set() and not self._closing

    @property
    def is_closed(self) -> bool:
        return self._closing

    @property
    def rtt_s(self) -> float | None:
        """The smoothed round trip in seconds; None before the first ping is answered."""
        return self.machine.rtt_s

    @property
    def stream_count(self) -> int:
        """Live streams, either side's."""
        return self.machine.stream_count

    @property
    def bytes_received(self) -> int:
        return self._session.bytes_received

    @property
    def bytes_sent(self) -> int:
        return self._session.bytes_sent

    def get_remote_address(self) -> tuple[str, int] | None:
        return self._session.get_remote_address()

    def get_transport_addresses(self) -> list[Multiaddr]:
        return self._session.get_transport_addresses()

    def get_connection_type(self) -> ConnectionType:
        return self._session.get_connection_type()

    async def open_stream(self) -> FastStream:
        """A new stream, of which nothing is sent yet; waits for a free slot below the limits.

        Raises `MuxedConnUnavailable` when the connection has ended or the peer is going away.
        """
        while not self._closing and self.machine.going_away is None:
            if self.machine.can_open:
                return FastStream(self, self.machine.open_stream())
            await self._openers.park()
        raise MuxedConnUnavailable(self._why_closed())

    async def accept_stream(self) -> FastStream:
        """The next stream that the peer opened. Raises `MuxedConnUnavailable` when the connection has ended."""
        while not self._closing:
            stream = self.machine.accept()
            if stream is not None:
                return FastStream(self, stream)
            await self._acceptors.park()
        raise MuxedConnUnavailable(self._why_closed())

    async def start(self) -> None:
        """Run the connection to its end. Raises nothing but cancellation."""
        try:
            if not self._closing:
                async with trio.open_nursery() as nursery:
                    self._scope = nursery.cancel_scope
                    nursery.start_soon(self._guard, self._pump.receive)
                    nursery.start_soon(self._guard, self._pump.send)
                    nursery.start_soon(self._guard, self._pump.keep_time)
                    self.event_started.set()
        finally:
            self.event_started.set()
            with trio.CancelScope(shield=True):
                await self._end(None)

    async def close(self) -> None:
        """End the connection: streams that are not finished are reset, the peer is told, within `FAREWELL_S`."""
        if self._closing:
            return
        self._closing = True
        for stream in self.machine.live_streams():
            if not stream.finishing:
                self.reset(stream)
        self.machine.go_away(GoAwayCode.NORMAL)
        self.nudge()
        with trio.move_on_after(FAREWELL_S) as scope:
            scope.shield = True
            if self._scope is not None:
                await self._pump.drain()
        with trio.CancelScope(shield=True):
            await self._end(None)

    async def _guard(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run one of the tasks; whatever ends it ends the connection."""
        try:
            await task()
        except (ChiralError, BaseLibp2pError) as error:
            logger.debug("connection to %s: %s", self.peer_id, error)
            await self._end(error)
        except Exception as error:
            logger.exception("connection to %s", self.peer_id)
            await self._end(error)

    async def _end(self, cause: Exception | None) -> None:
        """The connection is over: every stream of it dies, everybody who waits is told, the transport is closed."""
        if self.event_closed.is_set():
            return
        if not self._closing:
            self._closing = True
            self.death = cause
        self._pump.flush_nowait()
        for stream in self.machine.fail():
            wake(stream, FastStream.wake_reader, FastStream.wake_writer)
        self._acceptors.unpark_all()
        self._openers.unpark_all()
        self.turns.let_all_go()
        self.event_closed.set()
        for callback in self.on_death:
            callback(self)
        with trio.CancelScope(shield=True):
            try:
                await self._session.close()
            except (OSError, BaseLibp2pError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                logger.debug("closing the transport to %s: %s", self.peer_id, error)
        if self._scope is not None:
            self._scope.cancel()

    def _why_closed(self) -> str:
        return f"the connection has ended: {self.death or 'closed'}"

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            if type(event) is StreamReadable:
                wake(event.stream, FastStream.wake_reader)
            elif type(event) is StreamWritable:
                wake(event.stream, FastStream.wake_writer)
            elif type(event) is StreamArrived:
                self._acceptors.unpark(count=self.machine.waiting_streams)

    def _let_go_on(self) -> None:
        """Streams may have ended and data may have gone out: let those go on who waited for it."""
        self._let_open()
        self.turns.pass_on()

    def _let_open(self) -> None:
        """Let those go on who wait to open a stream, as many as there are slots."""
        if self._openers:
            if self.machine.going_away is not None:
                self._openers.unpark_all()
            elif self.machine.free_slots > 0:
                self._openers.unpark(count=self.machine.free_slots)

    def reset(self, stream: Stream) -> None:
        """End a stream at once, and let those go on who waited for what it held."""
        self.machine.reset(stream)
        wake(stream, FastStream.wake_reader, FastStream.wake_writer)
        self._let_go_on()
        self.nudge()


def wake(stream: Stream, *calls: Callable[[FastStream], None]) -> None:
    """Wake who waits for a stream, unless it was never given out or nobody holds it any more."""
    held = stream.handle and stream.handle()
    if held is not None:
        for call in calls:
            call(held)
