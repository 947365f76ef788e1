"""Which stream ids the peer has used: an id is used once, though not always in order.

A peer may allocate two ids and send the later one's SYN first (go-yamux and rust-yamux both do), so the highest id
alone does not tell. Kept are the highest id and the gaps below it, as ranges; when there are too many, the lowest are
taken as used.
"""

from __future__ import annotations

from bisect import bisect_right

MAX_GAPS = 256


class UsedIds:
    """The ids of one parity, all of which are new at first. `first` is 1 or 2."""

    __slots__ = ("_gaps", "_next")

    def __init__(self, first: int) -> None:
        self._next = first
        self._gaps: list[tuple[int, int]] = []

    def use(self, stream_id: int) -> bool:
        """Mark an id of the right parity as used; False if it was already."""
        if stream_id == self._next:
            self._next += 2
            return True
        if stream_id > self._next:
            self._gaps.append((self._next, stream_id - 2))
            if len(self._gaps) > MAX_GAPS:
                del self._gaps[0]
            self._next = stream_id + 2
            return True
        return self._fill(stream_id)

    def is_used(self, stream_id: int) -> bool:
        """Whether an id of the right parity has been used."""
        return stream_id < self._next and self._gap_of(stream_id) < 0

    def _gap_of(self, stream_id: int) -> int:
        index = bisect_right(self._gaps, (stream_id, 2**32)) - 1
        return index if index >= 0 and self._gaps[index][0] <= stream_id <= self._gaps[index][1] else -1

    def _fill(self, stream_id: int) -> bool:
        index = self._gap_of(stream_id)
        if index < 0:
            return False
        low, high = self._gaps[index]
        rest = [(low, stream_id - 2)] if low < stream_id else []
        if stream_id < high:
            rest.append((stream_id + 2, high))
        self._gaps[index : index + 1] = rest
        if len(self._gaps) > MAX_GAPS:
            del self._gaps[0]
        return True
