"""How fast a connection may send frames that hold next to nothing. Pure: says how long to wait, and waits for nothing.

A frame costs a microsecond of the one loop that serves everybody, whether it holds one byte or 64 KiB. A flood of small
ones within all rules would leave no time for other connections, so whoever sends more of them than any work needs is
read from more slowly, and the transport's own flow control passes that on.
"""

from __future__ import annotations

BYTES_A_FRAME = 512
"""A frame of this size or more is free: a flood of such fills the line before the loop."""
BURST_FRAMES = 4096
RATE_FRAMES_S = 16_384.0
"""As many as the most requests a second that a node can answer, and two hundredths of the loop's time."""


class Pace:
    """Of one connection. `now` is in seconds of a clock that never goes back."""

    __slots__ = ("_frames", "_left", "_since")

    def __init__(self, now: float) -> None:
        self._frames = 0
        self._left = float(BURST_FRAMES)
        self._since = now

    def wait_s(self, frames: int, size_bytes: int, now: float) -> float:
        """`size_bytes` came, and `frames` in all so far: the seconds to read nothing more, 0 nearly always."""
        small = frames - self._frames - size_bytes // BYTES_A_FRAME
        self._frames = frames
        if small <= 0:
            return 0.0
        self._left = min(float(BURST_FRAMES), self._left + (now - self._since) * RATE_FRAMES_S) - small
        self._since = now
        return max(0.0, -self._left / RATE_FRAMES_S)
