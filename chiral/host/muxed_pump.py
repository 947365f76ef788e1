"""Moves a connection's bytes between the transport and the Yamux machine, and keeps its time; it knows no streams.

Each of `receive`, `send` and `keep_time` is a task that runs until the connection ends or something goes wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable

from chiral.errors import ChiralError
from chiral.host.muxed_pace import Pace
from chiral.host.secured import FastSession
from chiral.yamux.connection import Connection
from chiral.yamux.events import Event

logger = logging.getLogger(__name__)

LONE_STREAMS = 2
"""With no more streams than these a request or an answer is sent by the task that makes it."""
YIELD_FRAMES = 1000
"""After so many frames other connections have their turn, however little the frames hold."""
OTHERS_SHARE = 8
"""So many times as long as a flood of small frames took others have the loop, be the machine as slow as it may."""
QUIET_BYTES = 4096
"""A connection that moved less between two pings gives its large buffers back."""


class Pump:
    """`tell` is given the machine's events; `moved` is called when streams or room may have become free."""

    def __init__(
        self,
        session: FastSession,
        machine: Connection,
        tell: Callable[[list[Event]], None],
        moved: Callable[[], None],
    ) -> None:
        self._session = session
        self._machine = machine
        self._tell = tell
        self._moved = moved
        self._writer = trio.lowlevel.ParkingLot()
        self._drained = trio.lowlevel.ParkingLot()

    @property
    def has_output(self) -> bool:
        """Whether anything waits to be given to the transport."""
        return self._machine.has_output or not self._session.is_flushed

    def nudge(self) -> None:
        """Somebody may have left something to send: let the sending task see to it."""
        if self._writer and (self.has_output or self._machine.going_away is not None):
            self._writer.unpark_all()

    def flush_soon(self) -> None:
        """Somebody has left something to send and will leave no more: a lone stream's goes out without a task.

        Where there are more streams the sending task sends what they leave in one go.
        """
        if self._machine.has_output and self._machine.stream_count <= LONE_STREAMS:
            self.flush_nowait()
        self.nudge()

    def flush_nowait(self) -> None:
        """Give the transport what it takes at once; what goes wrong the sending task will meet again."""
        try:
            self._seal()
            self._moved()
            self._session.flush_nowait()
        except (ChiralError, BaseLibp2pError) as error:
            logger.debug("sending at once: %s", error)

    async def drain(self) -> None:
        """Wait until all that waits has been given to the transport."""
        while self.has_output:
            await self._drained.park()

    async def receive(self) -> None:
        """Raises `ConnectionClosedError` at the end, `ProtocolError` when the peer breaks a rule."""
        session, machine = self._session, self._machine
        pace, seen = Pace(trio.current_time()), 0
        while True:
            messages = await session.receive()
            now = trio.current_time()
            for message in messages:
                events = machine.receive(message, now)
                if events:
                    self._tell(events)
                frames = machine.frames_received
                wait_s = pace.wait_s(frames, len(message), now)
                if wait_s:
                    self.nudge()
                    taken_s = trio.current_time() - now
                    await trio.sleep(max(wait_s, OTHERS_SHARE * taken_s))
                    now = trio.current_time()
                elif frames - seen > YIELD_FRAMES:
                    await trio.lowlevel.checkpoint()
                    seen = frames
            self._moved()
            self.nudge()
            self._check_farewell()

    async def send(self) -> None:
        """Raises `ConnectionClosedError`, `MuxedConnUnavailable` when a peer that is leaving has no streams left."""
        session, machine = self._session, self._machine
        while True:
            if not self.has_output:
                self._drained.unpark_all()
                self._check_farewell()
                await self._writer.park()
                continue
            self._seal()
            self._moved()
            await session.flush()
            if machine.has_output:
                await trio.lowlevel.checkpoint()

    async def keep_time(self) -> None:
        """Raises `YamuxError` when the peer is silent for too long."""
        session, moved = self._session, 0
        while True:
            deadline = self._machine.tick(trio.current_time())
            self.nudge()
            before, moved = moved, session.bytes_received + session.bytes_sent
            if moved - before < QUIET_BYTES:
                session.relax()
            await trio.sleep_until(deadline)

    def _seal(self) -> None:
        """Frame and seal what waits, as much as one send takes."""
        machine, sealer = self._machine, self._session.sealer
        while machine.has_output and sealer.has_room:
            sealer.wrote(machine.fill(sealer.writable()))

    def _check_farewell(self) -> None:
        """A peer that accepts no more streams, and has none left, is let go."""
        code = self._machine.going_away
        if code is not None and not self._machine.stream_count:
            raise MuxedConnUnavailable(f"the peer closed the connection (code {code})")
