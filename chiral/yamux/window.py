"""The receive window of a stream: what the peer may still send, and when to give it more.

Credit is given back when half of the window has been read. If that half came in faster than four round trips, the
window was what held the peer up, and it doubles, within the stream's bound and the connection's budget: so it follows
the product of bandwidth and delay.
"""

from __future__ import annotations

from chiral.yamux.frame import INITIAL_WINDOW_BYTES

GROWTH_ROUND_TRIPS = 4


class WindowBudget:
    """What the windows of one connection's streams may grow by together; shared by all of them.

    `rtt_s` is the last measured round trip, None before the first. `start_bytes` is the window of the next new stream.
    """

    __slots__ = ("free_bytes", "max_start_bytes", "max_stream_bytes", "rtt_s", "start_bytes")

    def __init__(self, total_bytes: int, max_stream_bytes: int, max_start_bytes: int) -> None:
        self.free_bytes = total_bytes
        self.max_stream_bytes = max_stream_bytes
        self.max_start_bytes = max_start_bytes
        self.start_bytes = INITIAL_WINDOW_BYTES
        self.rtt_s: float | None = None

    def grow(self, size_bytes: int) -> int:
        """The window that follows one of `size_bytes`: twice that, or the same where a bound forbids."""
        wanted = min(2 * size_bytes, self.max_stream_bytes)
        if wanted - size_bytes > self.free_bytes:
            return size_bytes
        self.free_bytes -= wanted - size_bytes
        self.start_bytes = max(self.start_bytes, min(wanted, self.max_start_bytes))
        return wanted

    def start(self) -> int:
        """The window of a new stream: `start_bytes`, or what half or a quarter of that is where the budget runs low."""
        size = self.start_bytes
        while size - INITIAL_WINDOW_BYTES > self.free_bytes:
            size = max(size // 2, INITIAL_WINDOW_BYTES)
        self.free_bytes -= size - INITIAL_WINDOW_BYTES
        return size


class ReceiveWindow:
    """One stream's window. `credit` is what the peer may still send; `size` what it grows back to."""

    __slots__ = ("_budget", "_opening", "_since", "credit", "size")

    def __init__(self, budget: WindowBudget) -> None:
        self._budget = budget
        self._since: float | None = None
        self.credit = INITIAL_WINDOW_BYTES
        self.size = budget.start()
        self._opening = self.size - INITIAL_WINDOW_BYTES

    def opening(self) -> int:
        """The credit to give with our first frame, above the 256 KiB that every stream begins with; 0 after that."""
        extra, self._opening = self._opening, 0
        self.credit += extra
        return extra

    def received(self, count: int, now: float) -> None:
        """The peer used `count` bytes of its credit; the caller has checked that it had them."""
        self.credit -= count
        if self._since is None:
            self._since = now

    def read(self, unread: int, now: float) -> int:
        """Bytes were read and `unread` are still buffered: returns the credit to give now, or 0."""
        if self._opening:
            return self.opening()
        size = self.size
        if (size - self.credit - unread) << 1 < size:
            return 0
        rtt, since = self._budget.rtt_s, self._since
        if rtt is not None and since is not None and now - since < GROWTH_ROUND_TRIPS * rtt:
            size = self.size = self._budget.grow(size)
        given = size - self.credit - unread
        self._since = now
        self.credit += given
        return given

    def release(self) -> None:
        """The stream is over: what its window had grown by goes back to the budget."""
        self._budget.free_bytes += self.size - INITIAL_WINDOW_BYTES
        self.size = INITIAL_WINDOW_BYTES
