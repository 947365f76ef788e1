"""One Yamux connection as a machine: decrypted bytes in, events and outgoing messages out; no I/O, no clock.

Implements hashicorp/yamux `spec.md` with what libp2p's implementations add: lazy acknowledgement, at most 256 streams
not yet acknowledged, windows that grow. Whatever the peer does wrong raises `YamuxError` from `receive`, with a GO_AWAY
waiting in the output; after that only `fill` and `fail` are of use.

Seconds (`now`) are of one clock that never goes back.
"""

from __future__ import annotations

from chiral.errors import StreamResetError
from chiral.yamux.events import Event
from chiral.yamux.frame import PING, RST, SESSION_ID, SYN, WINDOW_UPDATE, GoAwayCode, SilentPeerError, YamuxError
from chiral.yamux.limits import YamuxLimits
from chiral.yamux.liveness import Liveness
from chiral.yamux.outbox import Outbox
from chiral.yamux.receiver import Receiver
from chiral.yamux.stream import ResetBy, Stream
from chiral.yamux.table import StreamTable


class Connection:
    """Both halves of a connection. `initiator` is whether this side dialled."""

    __slots__ = ("_liveness", "_outbox", "_receiver", "_table", "limits")

    def __init__(self, *, initiator: bool, now: float, limits: YamuxLimits | None = None) -> None:
        self.limits = limits or YamuxLimits()
        self._table = StreamTable(self.limits, initiator=initiator)
        self._outbox = Outbox(self.limits.control_backlog_frames, self._finished)
        quiet_s = self.limits.quiet_s(initiator=initiator)
        self._liveness = Liveness(self.limits.ping_interval_s, self.limits.ping_timeout_s, now, quiet_s=quiet_s)
        self._receiver = Receiver(self.limits, self._table, self._outbox, self._liveness, now)

    @property
    def inbound_streams(self) -> int:
        return self._table.inbound

    @property
    def outbound_streams(self) -> int:
        return self._table.outbound

    def live_streams(self) -> list[Stream]:
        """The streams that are not over."""
        return list(self._table.live.values())

    @property
    def waiting_streams(self) -> int:
        """Streams of the peer that wait to be accepted."""
        return self._table.waiting

    @property
    def unacknowledged_streams(self) -> int:
        return self._table.unacknowledged

    @property
    def stream_count(self) -> int:
        """Live streams, either side's."""
        return self._table.inbound + self._table.outbound

    @property
    def unread_bytes(self) -> int:
        """Bytes received and not yet read, of all live streams."""
        return self._table.unread_bytes

    @property
    def backlog_bytes(self) -> int:
        """Bytes taken by `send` that `fill` has not given out."""
        return self._outbox.backlog_bytes

    @property
    def rtt_s(self) -> float | None:
        """The smoothed round trip in seconds; None before the first ping is answered."""
        return self._liveness.rtt_s

    @property
    def going_away(self) -> int | None:
        """The code of the peer's GO_AWAY, None before it."""
        return self._receiver.going_away

    @property
    def can_open(self) -> bool:
        """Whether `open_stream` would give a stream now."""
        return self._table.can_open and self._receiver.going_away is None

    @property
    def free_slots(self) -> int:
        """How many more streams the limits allow `open_stream` to give now."""
        return self._table.free_slots

    @property
    def frames_received(self) -> int:
        return self._receiver.frames

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take in decrypted bytes, cut anywhere. Raises `YamuxError`; then the connection must end."""
        try:
            return self._receiver.receive(data, now)
        except YamuxError:
            self.go_away(GoAwayCode.PROTOCOL_ERROR)
            raise

    def tick(self, now: float) -> float:
        """Do what is due by `now` (pings, ends of lingering streams); returns when to call again.

        Raises `SilentPeerError` when the peer has been silent for too long after a ping.
        """
        if self._liveness.is_gone(now):
            raise SilentPeerError(f"the peer answered nothing for {self.limits.ping_timeout_s:g} s")
        value = self._liveness.ping(now, idle=not self.stream_count)
        if value is not None:
            self._outbox.control(PING, SYN, SESSION_ID, value)
        for stream in [stream for stream, until in self._table.lingering.items() if until <= now]:
            self.reset(stream)
        return self._liveness.deadline(now)

    def open_stream(self) -> Stream:
        """A new stream; nothing is sent before its first data, end or `flush`.

        Raises `LimitExceededError` at a limit (see `can_open`), `StreamResetError` when the peer is going away.
        """
        if self._receiver.going_away is not None:
            raise StreamResetError("the peer accepts no more streams on this connection")
        return self._table.open()

    def accept(self) -> Stream | None:
        """The next stream that the peer opened, None if there is none. Its acknowledgement goes with other frames."""
        stream = self._table.accept()
        if stream is not None and stream.ack_due:
            self._outbox.acknowledge(stream)
        return stream

    def flush(self, stream: Stream) -> None:
        """Let the peer know of the stream although there is nothing to send on it: its opening or acknowledgement."""
        if stream.reset_by is not None:
            return
        if stream.syn_due:
            self._outbox.schedule(stream)
        elif stream.ack_due:
            self._outbox.flush_acks()

    def send(self, stream: Stream, data: memoryview) -> int:
        """Take as much of `data` as credit and backlog allow, to be sent; returns how many bytes, 0 to all.

        `data` is kept by reference and must not change. Raises `StreamResetError`.
        """
        if stream.reset_by is not None:
            raise StreamResetError(f"stream {stream.id}: {stream.reset_by.value}")
        if stream.finishing:
            raise ValueError("the stream was finished already")
        count = min(len(data), stream.send_window, self.limits.send_backlog_bytes - self._outbox.backlog_bytes)
        if count <= 0:
            return 0
        stream.send_window -= count
        self._outbox.push(stream, data if count == len(data) else data[:count])
        return count

    def finish(self, stream: Stream) -> None:
        """End our side after what was taken by `send`; reading goes on. Harmless when repeated or after a reset."""
        if stream.finishing or stream.reset_by is not None:
            return
        stream.finishing = True
        self._outbox.schedule(stream)

    def reset(self, stream: Stream) -> None:
        """End both sides at once, dropping what waits. Harmless when the stream is over."""
        if stream.is_over:
            stream.inbox.clear()
            stream.remote_ended = False
            stream.reset_by = stream.reset_by or ResetBy.LOCAL
            return
        if not stream.syn_due:
            self._outbox.control(WINDOW_UPDATE, RST, stream.id, 0)
            if not stream.remote_ended:
                self._table.spare(stream.window.credit)
        stream.remote_ended = False
        self._receiver.end_by(stream, ResetBy.LOCAL)

    def abandon(self, stream: Stream, now: float) -> None:
        """End our side and read no more; what was sent still arrives. The stream lingers until the peer ends too."""
        self.finish(stream)
        if not stream.abandoned:
            stream.abandoned = True
            self.discard(stream)
            if not stream.is_over:
                self._table.lingering[stream] = now + self.limits.linger_s

    def take(self, stream: Stream, limit: int, now: float) -> bytes:
        """Read up to `limit` unread bytes, giving the peer credit for them; `b""` when there are none."""
        data = stream.inbox.take(limit)
        if data and stream.id in self._table.live:
            self._table.unread_bytes -= len(data)
            if not stream.remote_ended and not stream.collecting:
                self._give_credit(stream, now)
        return data

    def put_back(self, stream: Stream, data: bytes) -> None:
        """Make bytes that were read unread again."""
        stream.inbox.prepend(data)
        if stream.id in self._table.live:
            self._table.unread_bytes += len(data)

    def collect(self, stream: Stream, now: float) -> None:
        """From now on count bytes as read when they arrive: for an owner that takes them all at once, up to a bound."""
        stream.collecting = True
        if not stream.is_over and not stream.remote_ended:
            self._give_credit(stream, now)

    def discard(self, stream: Stream) -> None:
        """Forget what is unread."""
        if stream.id in self._table.live:
            self._table.unread_bytes -= stream.inbox.size
        stream.inbox.clear()

    def go_away(self, code: GoAwayCode) -> None:
        """Tell the peer that the connection ends: after all that waits if it is a normal end, else instead of it."""
        self._outbox.say_farewell(code)

    def fail(self) -> list[Stream]:
        """The connection is gone: every live stream ends by it. Returns them; nothing is left to send."""
        streams = self.live_streams()
        for stream in streams:
            self._receiver.end_by(stream, ResetBy.CONNECTION)
        self._outbox.clear()
        return streams

    @property
    def has_output(self) -> bool:
        """Whether `fill` has something to give."""
        return self._outbox.has_output

    def fill(self, into: memoryview) -> int:
        """Write the next message to be sent, at most `len(into)` bytes (64 or more); returns its length, 0 if none."""
        return self._outbox.fill(into)

    def _finished(self, stream: Stream) -> None:
        if stream.remote_ended:
            self._table.remove(stream)

    def _give_credit(self, stream: Stream, now: float) -> None:
        unread = 0 if stream.collecting else stream.inbox.size
        given = stream.window.read(unread, now)
        if given:
            self._outbox.control(WINDOW_UPDATE, stream.opening_flags(), stream.id, given)
