"""Turns at a connection's backlog: who writes when more is written than the transport takes; first come, first."""

from __future__ import annotations

import trio

from chiral.yamux.connection import Connection

TURN_BYTES = 256 * 1024
"""How much of the backlog one stream takes before others that wait have their turn."""


class WriteTurns:
    """The writers that wait for room in the backlog of `machine`."""

    def __init__(self, machine: Connection) -> None:
        self._machine = machine
        self._waiting = trio.lowlevel.ParkingLot()

    @property
    def must_wait(self) -> bool:
        """Whether a writer without a turn has to wait for one: the backlog is full, or others wait already."""
        return bool(self._waiting) or self._machine.backlog_bytes >= self._machine.limits.send_backlog_bytes

    async def wait(self) -> None:
        """Wait behind those who wait already. The turn must be used at once, or given back by `pass_on`."""
        await self._waiting.park()

    def pass_on(self) -> None:
        """There may be room: let as many go on as it has turns for."""
        if self._waiting:
            room = self._machine.limits.send_backlog_bytes - self._machine.backlog_bytes
            if room >= TURN_BYTES or not self._machine.backlog_bytes:
                self._waiting.unpark(count=max(room // TURN_BYTES, 1))

    def let_all_go(self) -> None:
        """The connection is over."""
        self._waiting.unpark_all()
