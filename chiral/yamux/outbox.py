"""What waits to be sent: control frames first, then one DATA frame of each stream in turn.

Everything in here can be sent at once, for a stream's data is taken only within the credit that the peer gave; so a
stalled stream never stands before another one. Data is kept by reference and copied once, into its message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from chiral.yamux.frame import (
    ACK,
    DATA,
    GO_AWAY,
    HEADER,
    HEADER_BYTES,
    SESSION_ID,
    VERSION,
    WINDOW_UPDATE,
    GoAwayCode,
    YamuxError,
    header,
)
from chiral.yamux.stream import Stream

SLIVER_BYTES = 4096
"""A frame is not cut to fill a rest of a message shorter than this."""
LAZY_ACKS = 16
"""So many streams may wait for their acknowledgement to travel with other frames."""


def immutable(data: bytes | bytearray | memoryview) -> memoryview:
    """A view of `data` that may be kept: of the same bytes if nobody can change or free them, else of a copy."""
    if isinstance(data, memoryview):
        return data.cast("B") if isinstance(data.obj, bytes) and data.contiguous else memoryview(bytes(data))
    return memoryview(data if isinstance(data, bytes) else bytes(data))


class Outbox:
    """The outgoing half of one connection. `fill` makes messages; `on_finished(stream)` is told of each FIN framed."""

    __slots__ = ("_acks", "_control", "_control_limit_bytes", "_farewell", "_on_finished", "_ring", "backlog_bytes")

    def __init__(self, control_limit_frames: int, on_finished: Callable[[Stream], None]) -> None:
        self._control = bytearray()
        self._control_limit_bytes = control_limit_frames * HEADER_BYTES
        self._ring: deque[Stream] = deque()
        self._acks: deque[Stream] = deque()
        self._on_finished = on_finished
        self._farewell = b""
        self.backlog_bytes = 0

    @property
    def has_output(self) -> bool:
        """Whether `fill` has something to say."""
        return bool(self._control or self._ring or self._farewell)

    def control(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        """Queue a header-only frame of our own accord; streams and windows bound how many there can be."""
        self._control += HEADER.pack(VERSION, kind, flags, stream_id, length)

    def answer(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        """Queue a header-only frame that the peer caused. Raises `YamuxError` when it lets too many pile up unread."""
        if len(self._control) >= self._control_limit_bytes:
            raise YamuxError("the peer does not read the answers that it causes")
        self.control(kind, flags, stream_id, length)

    def say_farewell(self, code: int) -> None:
        """End the connection with a GO_AWAY: after all that waits if it is a normal end, else instead of it."""
        if code != GoAwayCode.NORMAL:
            self.clear()
        self._farewell = header(GO_AWAY, 0, SESSION_ID, code)

    def push(self, stream: Stream, data: memoryview) -> None:
        """Queue data of a stream; the caller has taken its length from the stream's credit."""
        size = len(data)
        stream.outgoing.append(data)
        stream.queued_bytes += size
        self.backlog_bytes += size
        self.schedule(stream)

    def schedule(self, stream: Stream) -> None:
        """Give the stream a turn: it has data, an end or an opening to send."""
        if not stream.in_ring:
            stream.in_ring = True
            self._ring.append(stream)

    def acknowledge(self, stream: Stream) -> None:
        """Let the stream's acknowledgement travel with the next frame of any stream, or now if many wait."""
        self._acks.append(stream)
        if len(self._acks) >= LAZY_ACKS:
            self.flush_acks()

    def flush_acks(self) -> None:
        """Queue the acknowledgements that wait, but for those that the stream's own next frame will carry."""
        acks = self._acks
        while acks:
            stream = acks.popleft()
            if stream.ack_due and stream.reset_by is None and not stream.in_ring:
                stream.ack_due = False
                self.control(WINDOW_UPDATE, ACK, stream.id, stream.window.opening())

    def forget(self, stream: Stream) -> None:
        """Drop all that the stream has waiting."""
        self.backlog_bytes -= stream.drop_output()
        if stream.in_ring:
            stream.in_ring = False
            self._ring.remove(stream)

    def clear(self) -> None:
        """The connection is over: drop everything."""
        for stream in self._ring:
            stream.in_ring = False
            stream.drop_output()
        self._ring.clear()
        self._acks.clear()
        self._control.clear()
        self.backlog_bytes = 0

    def fill(self, into: memoryview) -> int:
        """Write the next message, at most `len(into)` bytes and at least 24; returns its length, 0 if none waits."""
        if self._acks and (self._control or self._ring):
            self.flush_acks()
        end = len(into)
        position = 0
        control = self._control
        if control:
            position = min(len(control), end - end % HEADER_BYTES)
            into[:position] = memoryview(control)[:position] if position < len(control) else control
            self._control = control[position:] if position < len(control) else bytearray()
        ring = self._ring
        while ring:
            stream = ring[0]
            room = end - position - (2 if stream.syn_due or stream.ack_due else 1) * HEADER_BYTES
            if room < 0 or (position and room < SLIVER_BYTES and room < stream.queued_bytes):
                break
            ring.popleft()
            stream.in_ring = False
            position = self._frame(stream, into, position, end)
            if stream.queued_bytes:
                self.schedule(stream)
            elif stream.has_output:
                stream.in_ring = True
                ring.appendleft(stream)
        if self._farewell and not ring and not self._control and end - position >= HEADER_BYTES:
            into[position : position + HEADER_BYTES] = self._farewell
            position += HEADER_BYTES
            self._farewell = b""
        return position

    def _frame(self, stream: Stream, into: memoryview, position: int, end: int) -> int:
        """Write a DATA frame of the stream at `position`, as long as data and `end` allow, and its FIN if that is all.

        Returns where they end. The FIN has a frame of its own (`Stream.frame_flags`), and waits for nobody's turn.
        """
        if stream.syn_due or stream.ack_due:
            extra = stream.window.opening()
            if extra:
                HEADER.pack_into(into, position, VERSION, WINDOW_UPDATE, stream.opening_flags(), stream.id, extra)
                position += HEADER_BYTES
                if not stream.has_output:
                    return position
        start = stop = position + HEADER_BYTES
        queue = stream.outgoing
        while queue:
            chunk = queue[0]
            size = len(chunk)
            if size > end - stop:
                size = end - stop
                if not size:
                    break
                queue[0] = chunk[size:]
                chunk = chunk[:size]
            else:
                queue.popleft()
            into[stop : stop + size] = chunk
            stop += size
        sent = stop - start
        stream.queued_bytes -= sent
        self.backlog_bytes -= sent
        HEADER.pack_into(into, position, VERSION, DATA, stream.frame_flags(sent), stream.id, sent)
        if sent and stream.has_output and not stream.queued_bytes and end - stop >= HEADER_BYTES:
            HEADER.pack_into(into, stop, VERSION, DATA, stream.frame_flags(0), stream.id, 0)
            stop += HEADER_BYTES
        if stream.fin_sent:
            self._on_finished(stream)
        return stop
