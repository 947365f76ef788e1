"""How many blocks an object store holds, and their bytes: pure. A listing is summed while blocks come and go.

An object store has no counter, so the sums are made by listing everything, page by page, and kept up by what this
process writes. A listing does not say whether a write under way at the same time is in it. So a key written since its
page was asked for is counted by what the write left behind, and never by the listing. What a write that failed has
left behind is not known: its key is in doubt until somebody looks, or writes it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Size = int | None
"""The bytes of a block, or None where there is no block."""
MAX_DOUBTS = 10_000


@dataclass(slots=True)
class _Write:
    """A write under way: what the sums have for its key; for a `blind` one that is not known."""

    summed: Size
    blind: bool = False


class Tally:
    """Sums over the keys up to `cursor`, or over all once `complete`. At most one write a key at a time."""

    def __init__(self, max_doubts: int = MAX_DOUBTS) -> None:
        self.blocks = 0
        self.size_bytes = 0
        self.cursor = b""
        self.complete = False
        self._max_doubts = max_doubts
        self._writes: dict[bytes, _Write] = {}
        self._since: dict[bytes, Size] = {}
        self._doubts: dict[bytes, Size] = {}
        self._riddles: set[bytes] = set()

    @classmethod
    def of(cls, blocks: int, size_bytes: int) -> Tally:
        """A complete tally of known sums."""
        tally = cls()
        tally.blocks, tally.size_bytes, tally.complete = blocks, size_bytes, True
        return tally

    @property
    def exact(self) -> bool:
        """Whether the sums are those of all blocks, with nothing under way or in doubt."""
        return self.complete and not (self._writes or self._doubts or self._riddles)

    @property
    def doubts(self) -> list[bytes]:
        """The keys to look at and `settle`."""
        return [*self._doubts, *self._riddles]

    def takes_blind(self, key: bytes) -> bool:
        """Whether a write may begin on `key` without a look at what is there."""
        return self.complete and key not in self._doubts and key not in self._riddles

    def begin(self, key: bytes, before: Size) -> None:
        """A write begins on `key`, under which a look just found `before`."""
        known = self._doubts.get(key, before)
        self._writes[key] = _Write(known if self._covers(key) else None)

    def begin_blind(self, key: bytes) -> None:
        """A write begins that happens only if nothing is there; `end`, `keep` or `fail` it."""
        self._writes[key] = _Write(None, blind=True)

    def keep(self, key: bytes, size: int) -> None:
        """A blind write did not happen: so much was there before."""
        if self._writes[key].blind:
            del self._writes[key]
        else:  # everything was started again meanwhile, and the listing passes over what is being written
            self.end(key, size)

    def end(self, key: bytes, after: Size) -> None:
        """It is done and left `after`."""
        summed = self._writes.pop(key).summed
        self._doubts.pop(key, None)
        if self._covers(key):
            self._change(summed, after)
        else:
            self._since[key] = after

    def fail(self, key: bytes) -> None:
        """It failed: what it left is not known."""
        write = self._writes.pop(key)
        self._since.pop(key, None)
        if write.blind:
            self._riddles.add(key)
        else:
            self._doubts[key] = write.summed
        if len(self._doubts) + len(self._riddles) > self._max_doubts:
            self._start_again()

    def settle(self, key: bytes, found: Size) -> None:
        """Somebody looked at a key, while nobody wrote it. One in doubt that no page has covered yet stays in doubt.

        What a blind write that failed has left there may have been there before: then all is counted anew.
        """
        if key in self._doubts and self._covers(key):
            self._change(self._doubts.pop(key), found)
        elif key in self._riddles:
            self._riddles.discard(key)
            if found is not None:
                self._start_again()

    def page(self, after: bytes, listed: Iterable[tuple[bytes, int]], last: bytes | None) -> None:
        """The page asked for when the cursor stood at `after`: keys in order and sizes, up to `last`; None: to the end.

        One that was asked for before everything was started again is left out.
        """
        if self.complete or after != self.cursor:
            return
        for key, size in listed:
            if not (key in self._writes or key in self._since or key in self._doubts):
                self._change(None, size)
        for key, left in self._since.items():
            if key not in self._writes and (last is None or key <= last):
                self._change(None, left)
        self._since.clear()  # what lies beyond is in the pages to come, which are asked for after it was written
        if last is None:
            self.complete = True
        else:
            self.cursor = last

    def _covers(self, key: bytes) -> bool:
        return self.complete or key <= self.cursor

    def _change(self, before: Size, after: Size) -> None:
        self.blocks += (after is not None) - (before is not None)
        self.size_bytes += (after or 0) - (before or 0)

    def _start_again(self) -> None:
        self.blocks = self.size_bytes = 0
        self.cursor, self.complete = b"", False
        self._doubts.clear()
        self._riddles.clear()
        for write in self._writes.values():
            write.summed, write.blind = None, False
