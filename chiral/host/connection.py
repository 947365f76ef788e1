"""A live connection: one multiplexed, encrypted channel to a peer, with what is known of who is there."""

from __future__ import annotations

import logging
from typing import Any

import trio
from libp2p.exceptions import BaseLibp2pError
from trio import TaskStatus

from chiral.errors import StreamResetError
from chiral.host.inbound import Inbound
from chiral.host.stream import MuxedStream
from chiral.interface.peer import PeerId
from chiral.interface.streams import ConnectionInfo, Direction

logger = logging.getLogger(__name__)


class Connection:
    """Wraps the muxer of one connection; `run` is its life, `open` makes streams on it."""

    def __init__(self, muxed: Any, peer: PeerId, addr: bytes | None, direction: Direction, since: float) -> None:
        self._muxed = muxed
        self.peer = peer
        self.addr = addr
        self.direction: Direction = direction
        self.since = since
        self.closed = trio.Event()

    @property
    def alive(self) -> bool:
        """Whether streams may still be opened on it."""
        return not self.closed.is_set() and not self._muxed.is_closed

    async def run(self, inbound: Inbound, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Move frames and serve inbound streams until the connection ends; started once frames move."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._move_frames, nursery)
                await self._muxed.event_started.wait()
                task_status.started()
                nursery.start_soon(self._accept, nursery, inbound)
        finally:
            self.closed.set()

    async def _move_frames(self, nursery: trio.Nursery) -> None:
        try:
            await self._muxed.start()
        except (BaseLibp2pError, OSError) as error:
            logger.debug("connection to %s ended: %s", self.peer.short, error)
        nursery.cancel_scope.cancel()

    async def _accept(self, nursery: trio.Nursery, inbound: Inbound) -> None:
        while True:
            try:
                muxed_stream = await self._muxed.accept_stream()
            except BaseLibp2pError:
                return
            nursery.start_soon(inbound.serve, muxed_stream, self.peer, self.addr)

    async def open(self) -> MuxedStream:
        """A new stream on this connection; raises `StreamResetError` if the connection is gone."""
        try:
            stream: MuxedStream = await self._muxed.open_stream()
        except BaseLibp2pError as error:
            raise StreamResetError(f"connection to {self.peer.short} is closed") from error
        return stream

    async def close(self) -> None:
        """End the connection; never waits for the peer."""
        try:
            await self._muxed.close()
        except (BaseLibp2pError, OSError) as error:
            logger.debug("closing the connection to %s: %s", self.peer.short, error)

    def info(self, agent: str, protocols: tuple[str, ...]) -> ConnectionInfo:
        """What to show of it."""
        return ConnectionInfo(
            self.peer,
            self.addr,
            self.direction,
            self.since,
            agent,
            protocols,
            getattr(self._muxed, "rtt_s", None),
            int(getattr(self._muxed, "stream_count", 0)),
        )
