"""What one Yamux connection may cost: every bound is an option with a default."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.yamux.frame import INITIAL_WINDOW_BYTES


@dataclass(frozen=True, slots=True)
class YamuxLimits:
    """Bounds of one connection; sizes in bytes, times in seconds. Raises `ValueError` where they contradict.

    A burst is what may come at once, and the rate beside it what may come a second in the long run.
    """

    max_inbound_streams: int = 512
    """Streams of the peer open at once; a further one is reset."""
    max_outbound_streams: int = 256
    """Streams of ours open at once. Together with the peer's own they stay under the 512 that a Rust peer survives."""
    max_unacknowledged: int = 256
    """Streams of ours that the peer has not acknowledged: rust-yamux closes the connection above 256."""
    accept_backlog: int = 256
    """Streams of the peer not yet accepted here; a further one is reset."""
    max_stream_window_bytes: int = 16 * 1024 * 1024
    """Up to here the receive window of one stream grows."""
    window_growth_bytes: int = 32 * 1024 * 1024
    """What the windows of all streams may grow by together, above the 256 KiB that each has."""
    max_unread_bytes: int = 64 * 1024 * 1024
    """Bytes received and not yet read on all streams together; what would exceed it is reset."""
    new_window_bytes: int = 1024 * 1024
    """The most a new stream starts with once earlier ones have shown that the path holds more than 256 KiB."""
    send_backlog_bytes: int = 16 * 1024 * 1024
    """Bytes accepted from writers and not yet given to the transport; writers wait above it."""
    control_backlog_frames: int = 8192
    """Answers (pongs, resets, window updates) that wait for a peer which does not read; above it, it is cut off."""
    ping_interval_s: float = 10.0
    """Between pings while streams are open; without any it is half as long again after the last sign of life."""
    ping_timeout_s: float = 10.0
    """Silence after a ping for this long means the peer is gone."""
    linger_s: float = 10.0
    """How long a stream that was closed here waits for the peer's end before it is reset."""
    reset_burst: int = 1024
    reset_rate: float = 256.0
    """Streams of the peer that it resets, or that are refused to it."""
    ping_burst: int = 256
    ping_rate: float = 32.0
    stray_burst: int = 4096
    stray_rate: float = 512.0
    """Frames that say nothing: for streams not known, without length or flags, answers to no question."""

    def __post_init__(self) -> None:
        if self.max_unacknowledged < 1 or self.max_outbound_streams < 1:
            raise ValueError("a connection needs room for one stream of ours")
        if self.max_stream_window_bytes < INITIAL_WINDOW_BYTES:
            raise ValueError(f"max_stream_window_bytes is at least {INITIAL_WINDOW_BYTES}")
        if self.max_unread_bytes < INITIAL_WINDOW_BYTES or self.window_growth_bytes < 0:
            raise ValueError(f"max_unread_bytes is at least {INITIAL_WINDOW_BYTES}, window_growth_bytes at least 0")
        if not INITIAL_WINDOW_BYTES <= self.new_window_bytes <= self.max_stream_window_bytes:
            raise ValueError(f"new_window_bytes is between {INITIAL_WINDOW_BYTES} and max_stream_window_bytes")
        if self.send_backlog_bytes < 1 or self.ping_interval_s <= 0 or self.ping_timeout_s <= 0:
            raise ValueError("backlogs and times are above zero")

    def quiet_s(self, *, initiator: bool) -> float:
        """After so long without a sign of life an idle connection is pinged; by who was dialled only later."""
        return self.ping_interval_s * (1.5 if initiator else 1.8)
