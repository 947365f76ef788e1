"""One direction of an in-memory stream: bytes with the time they arrive at, an end, or a reset."""

from __future__ import annotations

from collections import deque

import trio

from chiral.errors import StreamResetError

WINDOW_BYTES = 256 * 1024


class Pipe:
    """Holds up to `WINDOW_BYTES` that were not read; sending more waits."""

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
