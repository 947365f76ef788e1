"""The incoming half of one Yamux connection: plaintext in, the state of streams changed, events out.

Frames may be cut anywhere. A payload is handed on as it comes and a header is checked before anything is kept, so a
length that lies costs nothing. Rules: hashicorp/yamux `spec.md`; where that is silent, what go-yamux and rust-yamux
tolerate is tolerated, up to an allowance.
"""

from __future__ import annotations

from chiral.yamux.allowance import Allowance
from chiral.yamux.events import (
    Event,
    PeerGoingAway,
    RoundTripMeasured,
    StreamArrived,
    StreamReadable,
    StreamWritable,
)
from chiral.yamux.frame import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    MAX_UINT32,
    PING,
    RST,
    SESSION_ID,
    SYN,
    WINDOW_UPDATE,
    YamuxError,
)
from chiral.yamux.limits import YamuxLimits
from chiral.yamux.liveness import Liveness
from chiral.yamux.outbox import Outbox
from chiral.yamux.reader import FrameReader
from chiral.yamux.stream import ResetBy, Stream
from chiral.yamux.table import StreamTable

SAYS_SOMETHING = SYN | ACK | FIN | RST


class Receiver:
    """Takes in what the peer sends. Shares the table, the outbox and the liveness with the connection that owns it."""

    __slots__ = (
        "_ending",
        "_events",
        "_limits",
        "_liveness",
        "_now",
        "_outbox",
        "_pings",
        "_reader",
        "_resets",
        "_stray",
        "_stream",
        "_table",
        "going_away",
    )

    def __init__(self, limits: YamuxLimits, table: StreamTable, outbox: Outbox, liveness: Liveness, now: float) -> None:
        self._limits = limits
        self._table = table
        self._outbox = outbox
        self._liveness = liveness
        self._resets = Allowance("streams that came to nothing", limits.reset_burst, limits.reset_rate, now)
        self._pings = Allowance("pings", limits.ping_burst, limits.ping_rate, now)
        self._stray = Allowance("frames that say nothing", limits.stray_burst, limits.stray_rate, now)
        self._now = now
        self._events: list[Event] = []
        self._ending = 0
        self._stream: Stream | None = None
        self._reader = FrameReader(self)
        self.going_away: int | None = None

    @property
    def frames(self) -> int:
        """How many frames have come."""
        return self._reader.frames

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take in decrypted bytes, cut anywhere. Raises `YamuxError`."""
        self._now = now
        self._liveness.heard(now)
        self._events = []
        self._reader.read(data)
        return self._events

    def take_header(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        """Of a frame: act on it, or for DATA check it and make ready for its payload."""
        if kind == DATA:
            self._data(flags, stream_id, length)
        elif kind == WINDOW_UPDATE:
            self._window_update(flags, stream_id, length)
        elif kind == PING:
            self._ping(flags, length)
        elif kind == GO_AWAY:
            self.going_away = length
            self._events.append(PeerGoingAway(length))
        else:
            raise YamuxError(f"the peer sent a frame of unknown type {kind}")

    def take_payload(self, message: memoryview, start: int, stop: int, left: int) -> None:
        """A piece of the current DATA frame's payload."""
        stream = self._stream
        if stream is None:
            return
        if stream.reset_by is None:
            if not stream.abandoned:
                self._keep(stream, message, start, stop)
            elif not left:
                self._drain(stream)
        if not left:
            self._stream = None
            if self._ending:
                self._end(stream, self._ending)

    def _data(self, flags: int, stream_id: int, length: int) -> None:
        stream = self._addressed(flags, stream_id)
        if length:
            if stream is None:
                self._table.spend_spare(length, stream_id)
            elif length > stream.window.credit:
                raise YamuxError(
                    f"the peer sent {length} bytes on stream {stream_id} with a window of {stream.window.credit}"
                )
            elif stream.remote_ended:
                raise YamuxError(f"the peer sent data on stream {stream_id} after its end")
            else:
                stream.window.received(length, self._now)
        elif not flags & SAYS_SOMETHING and stream is not None:
            self._stray.spend(self._now)
        self._stream = stream
        self._ending = flags & (FIN | RST)
        if self._ending and not length and stream is not None:
            self._end(stream, self._ending)

    def _window_update(self, flags: int, stream_id: int, length: int) -> None:
        stream = self._addressed(flags, stream_id)
        if stream is None:
            return
        if not length and not flags & SAYS_SOMETHING:
            self._stray.spend(self._now)
        if length:
            if length > MAX_UINT32 - stream.send_window:
                raise YamuxError(f"the peer gave stream {stream_id} a window of over 4 GiB")
            stream.send_window += length
            if stream.write_wanted:
                stream.write_wanted = False
                self._events.append(StreamWritable(stream))
        if flags & (FIN | RST):
            self._end(stream, flags)

    def _addressed(self, flags: int, stream_id: int) -> Stream | None:
        """The live stream that a frame is for: a new one on SYN, None if it is over, refused or was never there."""
        if flags & SYN:
            return self._arrived(stream_id)
        stream = self._table.live.get(stream_id)
        if stream is None:
            if stream_id == SESSION_ID:
                raise YamuxError("the peer sent a stream's frame for the connection itself")
            self._stray.spend(self._now)
        elif flags & ACK:
            self._table.acknowledge(stream)
        return stream

    def _arrived(self, stream_id: int) -> Stream | None:
        stream = self._table.arrive(stream_id)
        if stream is None:
            self._resets.spend(self._now)
            self._outbox.answer(WINDOW_UPDATE, RST, stream_id, 0)
        elif self._table.waiting == 1:
            self._events.append(StreamArrived())
        return stream

    def _keep(self, stream: Stream, view: memoryview, start: int, stop: int) -> None:
        table, inbox = self._table, stream.inbox
        table.unread_bytes += stop - start
        if table.unread_bytes > self._limits.max_unread_bytes:
            table.unread_bytes -= stop - start
            self._give_up(stream)
            return
        inbox.append(view, start, stop)
        if stream.collecting and not self._ending:
            given = stream.window.read(0, self._now)
            if given:
                self._outbox.control(WINDOW_UPDATE, stream.opening_flags(), stream.id, given)
        if 0 < stream.read_wanted <= inbox.size:
            stream.read_wanted = 0
            self._events.append(StreamReadable(stream))

    def _drain(self, stream: Stream) -> None:
        """Nobody will read this: once the peer can send no more it is told so, or it would wait for credit for ever."""
        if not stream.window.credit and not self._ending:
            self._give_up(stream)

    def _give_up(self, stream: Stream) -> None:
        self._outbox.answer(WINDOW_UPDATE, RST, stream.id, 0)
        self._table.spare(stream.window.credit)
        self.end_by(stream, ResetBy.LOCAL)
        self.wake(stream)

    def _end(self, stream: Stream, flags: int) -> None:
        """The peer ended its side (FIN), or the whole stream (RST)."""
        if flags & RST:
            if stream.reset_by is None:
                self.end_by(stream, ResetBy.REMOTE)
            if not stream.outbound:
                self._resets.spend(self._now)
        elif stream.remote_ended:
            self._stray.spend(self._now)
        else:
            stream.remote_ended = True
            if stream.is_over:
                self._table.remove(stream)
        self.wake(stream)

    def end_by(self, stream: Stream, cause: ResetBy) -> None:
        """End a stream at once. What came before a clean end of the peer's side stays readable."""
        stream.reset_by = cause
        self._table.remove(stream)
        self._outbox.forget(stream)
        if not stream.remote_ended:
            stream.inbox.clear()

    def wake(self, stream: Stream) -> None:
        """Tell whoever waits for the stream to look at it again."""
        if stream.read_wanted:
            stream.read_wanted = 0
            self._events.append(StreamReadable(stream))
        if stream.write_wanted and stream.reset_by is not None:
            stream.write_wanted = False
            self._events.append(StreamWritable(stream))

    def _ping(self, flags: int, value: int) -> None:
        if flags & ACK:
            rtt = self._liveness.answered(value, self._now)
            if rtt is None:
                self._stray.spend(self._now)
                return
            self._table.budget.rtt_s = self._liveness.rtt_s
            self._events.append(RoundTripMeasured(rtt))
        else:
            self._pings.spend(self._now)
            self._outbox.answer(PING, ACK, SESSION_ID, value)
