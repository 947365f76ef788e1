"""One Yamux stream behind py-libp2p's `IMuxedStream`, and what Chiral wants beyond it.

Nothing is sent when a stream is opened: its SYN travels with the first data, end or `flush`. What is written goes to
the connection's machine, which sends whole frames, so any method may be cancelled: the connection stays in step, and a
stream whose write was cut short can only be reset.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING
from weakref import ref

import trio
from libp2p.abc import IMuxedStream
from libp2p.stream_muxer.exceptions import MuxedStreamClosed, MuxedStreamEOF, MuxedStreamReset

from chiral.errors import LimitExceededError
from chiral.host.muxed_turns import TURN_BYTES
from chiral.yamux.outbox import immutable
from chiral.yamux.stream import Stream

if TYPE_CHECKING:
    from chiral.host.muxed import FastMuxed


class FastStream(IMuxedStream):
    """A stream. One task may read and one may write at a time."""

    def __init__(self, conn: FastMuxed, state: Stream) -> None:
        self.muxed_conn = conn
        self._conn = conn
        self._machine = conn.machine
        self._state = state
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()
        self._is_cut = False
        state.handle = ref(self)

    @property
    def stream_id(self) -> int:
        return self._state.id

    @property
    def is_initiator(self) -> bool:
        """Whether this side opened the stream."""
        return self._state.outbound

    @property
    def is_closed(self) -> bool:
        """Whether neither side will send anything more."""
        return self._state.is_over

    @property
    def is_reset(self) -> bool:
        return self._state.reset_by is not None

    @property
    def buffered_bytes(self) -> int:
        """Bytes that can be read without waiting."""
        return self._state.inbox.size

    @property
    def is_whole(self) -> bool:
        """Whether all that the peer says on the stream has come: it ended its side, and nothing was given up."""
        return self._state.remote_ended and not self._state.abandoned

    # -- reading

    async def read(self, n: int | None = None) -> bytes:
        """1 to `n` bytes, or all there are at the moment for None; waits for the first.

        Raises `MuxedStreamEOF` at the peer's clean end, `MuxedStreamReset` if the stream or its connection died.
        """
        if n == 0:
            return b""
        await self._wait_for(1)
        inbox = self._state.inbox
        data = self._machine.take(self._state, inbox.size if n is None or n < 0 else n, trio.current_time())
        self._conn.nudge()
        return data

    async def read_all(self, limit_bytes: int) -> bytes:
        """All up to the peer's clean end, joined once; the peer is given credit as bytes arrive.

        Raises `LimitExceededError` past `limit_bytes` (reset the stream then), `MuxedStreamReset`.
        """
        state = self._state
        self._machine.collect(state, trio.current_time())
        self._conn.nudge()
        while state.inbox.size <= limit_bytes and (state.abandoned or not state.remote_ended):
            await self._wait(limit_bytes + 1)
        if state.inbox.size > limit_bytes:
            raise LimitExceededError(f"the peer sent more than {limit_bytes} bytes on a stream")
        return self._machine.take(state, state.inbox.size, trio.current_time())

    async def peek(self, limit_bytes: int, at_least: int = 1) -> bytes:
        """The next bytes without taking them, up to `limit_bytes`; waits for `at_least` of them or the end.

        `at_least` is at most 64 KiB. Raises `MuxedStreamEOF` when nothing is left, `MuxedStreamReset`.
        """
        await self._wait_for(at_least)
        return self._state.inbox.peek(limit_bytes)

    def peek_buffered(self, limit_bytes: int) -> bytes:
        """What `peek` would give without waiting; `b""` if nothing is there."""
        return self._state.inbox.peek(limit_bytes)

    def unread(self, data: bytes) -> None:
        """Put bytes back that were read: they are read next."""
        self._machine.put_back(self._state, data)

    async def _wait_for(self, count: int) -> None:
        """Wait for `count` unread bytes or the end. Raises `MuxedStreamEOF` if there are none at the end."""
        state = self._state
        while state.inbox.size < count:
            if state.remote_ended and not state.abandoned:
                if state.inbox.size:
                    return
                raise MuxedStreamEOF(f"stream {state.id}: the peer ended it")
            await self._wait(count)

    async def _wait(self, count: int) -> None:
        """Wait until `count` bytes are unread, or the end. Raises `MuxedStreamReset`."""
        state = self._state
        if state.reset_by is not None:
            raise MuxedStreamReset(f"stream {state.id}: {state.reset_by.value}")
        if state.abandoned:
            raise MuxedStreamReset(f"stream {state.id}: closed here")
        if state.ack_due:
            self._machine.flush(state)
        self._conn.nudge()
        state.read_wanted = count
        await self._readers.park()

    # -- writing

    async def write(self, data: bytes | bytearray | memoryview, *, more: bool = True) -> None:
        """Send all of `data`, waiting while the peer's window or the connection's backlog is full.

        Without `more` the end of this side follows at once. Raises `MuxedStreamClosed` after the end of this side,
        `MuxedStreamReset` if the stream or connection died.
        """
        view = immutable(data)
        turns, state, has_turn, was_cut = self._conn.turns, self._state, False, self._is_cut
        try:
            while True:
                self._check_writable()
                if has_turn or not turns.must_wait:
                    taken = self._machine.send(state, view[:TURN_BYTES])
                    view = view[taken:]
                    if more or view:
                        self._conn.nudge()
                    if not view:
                        self._is_cut = was_cut
                        return
                    self._is_cut |= taken > 0
                if has_turn:
                    has_turn = False
                    turns.pass_on()
                if not state.send_window:
                    state.write_wanted = True
                    await self._writers.park()
                elif turns.must_wait:
                    await turns.wait()
                    has_turn = True
        finally:
            if has_turn:
                turns.pass_on()

    async def finish(self, data: bytes | bytearray | memoryview = b"") -> None:
        """Send `data` and end this side, in one flight where it fits; reading goes on. Raises as `write` does."""
        if data:
            await self.write(data, more=False)
        await self.close()

    async def flush(self) -> None:
        """Let the peer know of the stream although nothing was written on it yet."""
        self._machine.flush(self._state)
        self._conn.nudge()

    def _check_writable(self) -> None:
        state = self._state
        if state.reset_by is not None:
            raise MuxedStreamReset(f"stream {state.id}: {state.reset_by.value}")
        if state.finishing:
            raise MuxedStreamClosed(f"stream {state.id}: this side has ended")

    # -- ending

    async def close(self) -> None:
        """End this side after what was written, as py-libp2p means it: reading goes on. Never waits.

        Where a write was cut short the stream is reset instead: what the peer has must not pass as whole.
        """
        if self._is_cut:
            self._conn.reset(self._state)
        else:
            self._machine.finish(self._state)
            self._conn.flush_soon()

    async def close_write(self) -> None:
        """The same as `close`."""
        await self.close()

    async def abandon(self) -> None:
        """End this side after what was written and read no more. Never waits; may be repeated.

        What the peer still sends within its window is dropped; if it sends more, or has not ended its side after the
        limits' `linger_s`, the stream is reset; so it is where a write was cut short.
        """
        if self._is_cut:
            self._conn.reset(self._state)
        else:
            self._machine.abandon(self._state, trio.current_time())
            self.wake_reader()
            self._conn.nudge()

    async def reset(self) -> None:
        """End both sides at once; the peer sees a reset. Harmless when repeated."""
        self._conn.reset(self._state)

    def set_deadline(self, ttl: int) -> None:
        """Not kept here: the caller's cancel scope is the deadline."""

    def get_remote_address(self) -> tuple[str, int] | None:
        return self._conn.get_remote_address()

    async def __aenter__(self) -> FastStream:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if exc_type is None:
            await self.close()
        else:
            await self.reset()

    # -- for the connection

    def wake_reader(self) -> None:
        self._readers.unpark_all()

    def wake_writer(self) -> None:
        self._writers.unpark_all()
