"""The live streams of one connection: who may open how many, which wait to be accepted, which are over."""

from __future__ import annotations

from collections import deque

from chiral.errors import LimitExceededError
from chiral.yamux.frame import INITIAL_WINDOW_BYTES, MAX_UINT32, SESSION_ID, YamuxError
from chiral.yamux.ids import UsedIds
from chiral.yamux.limits import YamuxLimits
from chiral.yamux.stream import Stream
from chiral.yamux.window import WindowBudget


class StreamTable:
    """Streams by id. `initiator` is whether this side opened the connection: then its ids are odd, the peer's even."""

    __slots__ = (
        "_backlog",
        "_limits",
        "_next_id",
        "_used",
        "budget",
        "inbound",
        "lingering",
        "live",
        "outbound",
        "spare_credit",
        "unacknowledged",
        "unread_bytes",
    )

    def __init__(self, limits: YamuxLimits, *, initiator: bool) -> None:
        self._limits = limits
        self._next_id = 1 if initiator else 2
        self._used = UsedIds(2 if initiator else 1)
        self._backlog: deque[Stream] = deque()
        self.budget = WindowBudget(limits.window_growth_bytes, limits.max_stream_window_bytes, limits.new_window_bytes)
        self.live: dict[int, Stream] = {}
        self.lingering: dict[Stream, float] = {}
        """Streams that were closed here and wait for the peer's end, with the time they are given up at."""
        self.inbound = 0
        self.outbound = 0
        self.unacknowledged = 0
        self.unread_bytes = 0
        self.spare_credit = 0
        """What the peer may still send on streams that ended here first, without being at fault."""

    @property
    def can_open(self) -> bool:
        """Whether the limits allow one more stream of ours."""
        return self.free_slots > 0

    @property
    def free_slots(self) -> int:
        """How many streams of ours the limits allow beside those there are."""
        limits = self._limits
        return min(limits.max_outbound_streams - self.outbound, limits.max_unacknowledged - self.unacknowledged)

    @property
    def waiting(self) -> int:
        """How many streams of the peer wait to be accepted."""
        return len(self._backlog)

    def open(self) -> Stream:
        """A new stream of ours. Raises `LimitExceededError` when `can_open` is False or the ids are used up."""
        if not self.can_open:
            raise LimitExceededError("as many streams are open on the connection as it may have")
        if self._next_id > MAX_UINT32:
            raise LimitExceededError("the connection has used all its stream ids")
        stream = Stream(self._next_id, outbound=True, budget=self.budget)
        self._next_id += 2
        self.live[stream.id] = stream
        self.outbound += 1
        self.unacknowledged += 1
        return stream

    def arrive(self, stream_id: int) -> Stream | None:
        """A new stream of the peer, or None if it is over a limit and must be refused.

        Raises `YamuxError` for an id that is not the peer's to use, or not any more.
        """
        if stream_id == SESSION_ID or (stream_id ^ self._next_id) & 1 == 0:
            raise YamuxError(f"the peer opened stream {stream_id}, an id that is not its own")
        if not self._used.use(stream_id):
            raise YamuxError(f"the peer opened stream {stream_id} again")
        if self.inbound >= self._limits.max_inbound_streams or len(self._backlog) >= self._limits.accept_backlog:
            self.spare(INITIAL_WINDOW_BYTES)
            return None
        stream = Stream(stream_id, outbound=False, budget=self.budget)
        self.live[stream_id] = stream
        self._backlog.append(stream)
        self.inbound += 1
        return stream

    def accept(self) -> Stream | None:
        """The next stream of the peer that waits to be accepted."""
        if not self._backlog:
            return None
        stream = self._backlog.popleft()
        stream.accepted = True
        return stream

    def acknowledge(self, stream: Stream) -> bool:
        """The peer acknowledged a stream of ours; False if it had already, or it was not ours."""
        if stream.acknowledged:
            return False
        stream.acknowledged = True
        self.unacknowledged -= 1
        return True

    def remove(self, stream: Stream) -> bool:
        """The stream is over. What it holds unread is its reader's matter from now on. False if it was gone already."""
        if self.live.pop(stream.id, None) is None:
            return False
        self.lingering.pop(stream, None)
        if stream.outbound:
            self.outbound -= 1
            self.acknowledge(stream)
        else:
            self.inbound -= 1
            if not stream.accepted and stream.reset_by is not None:
                self._backlog.remove(stream)
        self.unread_bytes -= stream.inbox.size
        stream.window.release()
        return True

    def spare(self, credit: int) -> None:
        """Credit that the peer has on a stream which ended here: what uses it is dropped and no fault."""
        self.spare_credit += credit

    def spend_spare(self, count: int, stream_id: int) -> None:
        """Data came for no live stream. Raises `YamuxError` if no credit can account for it."""
        if count > self.spare_credit:
            raise YamuxError(f"the peer sent {count} bytes on stream {stream_id}, which is not open")
        self.spare_credit -= count
