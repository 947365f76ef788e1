"""A part of a file, as it is asked for before the file's size is known. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """From byte `start` up to `stop` (None: the end). A negative `start` counts from the end: -500 is the last 500."""

    start: int = 0
    stop: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it asks for all of any file."""
        return self.start == 0 and self.stop is None

    def within(self, size: int) -> tuple[int, int]:
        """First byte and the one after the last, in a file of `size` bytes; both the same where there is nothing."""
        start = max(size + self.start, 0) if self.start < 0 else min(self.start, size)
        stop = size if self.stop is None else min(self.stop, size)
        return start, max(start, stop)


WHOLE = Span()
