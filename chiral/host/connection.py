"""A live connection: one multiplexed, encrypted channel to a peer, with what is known of who is there."""

from __future__ import annotations

from collections.abc import Callable

import trio
from libp2p.exceptions import BaseLibp2pError

from chiral.errors import StreamResetError
from chiral.host.inbound import Inbound
from chiral.host.muxed import FastMuxed
from chiral.host.stream import MuxedStream
from chiral.interface.peer import PeerId
from chiral.interface.streams import ConnectionInfo, Direction

_LEAVE_S = 10.0


class ConnectionLostError(StreamResetError):
    """The connection was gone before a stream on it was opened: nothing was sent, so another may be tried."""


class Connection:
    """Wraps the muxer of one connection: `run` is its life, `serve` answers its streams, `open` makes new ones."""

    __slots__ = ("_muxed", "_used", "_used_at", "addr", "direction", "over", "peer", "since")

    def __init__(self, muxed: FastMuxed, peer: PeerId, addr: bytes, direction: Direction, since: float) -> None:
        self._muxed = muxed
        self.peer = peer
        self.addr = addr
        self.direction: Direction = direction
        self.since = since
        self._used_at = trio.current_time()
        self._used = trio.Event()
        self.over = trio.Event()
        """Set once the connection has ended."""

    @property
    def alive(self) -> bool:
        """Whether streams may still be opened on it."""
        return not self._muxed.is_closed and self._muxed.machine.going_away is None

    async def run(self) -> None:
        """Move frames until the connection ends, whoever ends it."""
        try:
            await self._muxed.start()
        finally:
            self.over.set()
            self._used.set()

    async def serve(self, inbound: Inbound) -> None:
        """Serve the remote's streams. What it had sent whole when the connection ended is still served, for a while."""
        async with trio.open_nursery() as nursery:
            try:
                while True:
                    nursery.start_soon(inbound.serve, await self._muxed.accept_stream(), self.peer, self.addr)
            except BaseLibp2pError:
                nursery.cancel_scope.deadline = trio.current_time() + _LEAVE_S

    async def open(self) -> MuxedStream:
        """A new stream on this connection; raises `ConnectionLostError` if the connection is gone."""
        self._used_at = trio.current_time()
        self._used.set()
        return await self.open_unused()

    async def open_unused(self) -> MuxedStream:
        """As `open`, for a stream that does not count as use."""
        try:
            return await self._muxed.open_stream()
        except BaseLibp2pError as error:
            raise ConnectionLostError(f"connection to {self.peer.short} is closed") from error

    def idle_s(self) -> float:
        """Seconds since a stream was last opened here, or since the connection stands."""
        return trio.current_time() - self._used_at

    async def until_used(self) -> None:
        """Wait for the next stream opened here, or the connection's end."""
        if not self.over.is_set():
            self._used = trio.Event()
            await self._used.wait()

    def on_end(self, tell: Callable[[Exception | None], None]) -> None:
        """Call `tell` once the connection has ended, with what ended it: None where it was closed from here."""
        self._muxed.on_death.append(lambda muxed: tell(muxed.death))

    async def close(self) -> None:
        """End the connection; never waits for the peer."""
        await self._muxed.close()

    def info(self, agent: str, protocols: tuple[str, ...]) -> ConnectionInfo:
        """What to show of it."""
        muxed = self._muxed
        return ConnectionInfo(
            self.peer, self.addr, self.direction, self.since, agent, protocols, muxed.rtt_s, muxed.stream_count
        )
