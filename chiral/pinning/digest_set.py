"""A compact set of block names: millions of them at 12 to 24 bytes each. Holds no data and no whole hashes.

Of a multihash only the last eight bytes are kept. Two blocks that agree in these are taken for one: what a collection
spares is then one block too many, never one too few. For a million blocks that happens once in 2^24 collections.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

KEPT_BYTES = 8
_SHARDS = 256
"""Each grows alone, so that growing never takes longer than a millisecond or two at a million names."""
_FIRST_SLOTS = 16
_ZERO_STANDS_FOR = 1
"""An empty slot is 0, so a name that is 0 is kept as this."""


class DigestSet:
    """Multihashes that can be added and asked for. For one thread at a time."""

    def __init__(self) -> None:
        self._tables = [_empty(_FIRST_SLOTS) for _ in range(_SHARDS)]
        self._counts = [0] * _SHARDS

    def __len__(self) -> int:
        return sum(self._counts)

    def __contains__(self, multihash: bytes) -> bool:
        value = int.from_bytes(multihash[-KEPT_BYTES:], "little") or _ZERO_STANDS_FOR
        table = self._tables[value & 0xFF]
        mask = len(table) - 1
        slot = (value >> 8) & mask
        while held := table[slot]:
            if held == value:
                return True
            slot = (slot + 1) & mask
        return False

    def add(self, multihash: bytes) -> bool:
        """Add it; whether it was new."""
        value = int.from_bytes(multihash[-KEPT_BYTES:], "little") or _ZERO_STANDS_FOR
        shard = value & 0xFF
        table = self._tables[shard]
        if not _place(table, value):
            return False
        self._counts[shard] += 1
        if self._counts[shard] * 3 > len(table) * 2:
            self._tables[shard] = _grown(table)
        return True

    def update(self, multihashes: Iterable[bytes]) -> None:
        """Add all of them."""
        for multihash in multihashes:
            self.add(multihash)

    @property
    def size_bytes(self) -> int:
        """The memory that the names take."""
        return sum(len(table) * table.itemsize for table in self._tables)


def _empty(slots: int) -> array[int]:
    return array("Q", bytes(8 * slots))


def _place(table: array[int], value: int) -> bool:
    """Put `value` into its slot or the next free one; False if it is there. There is always a free slot."""
    mask = len(table) - 1
    slot = (value >> 8) & mask
    while held := table[slot]:
        if held == value:
            return False
        slot = (slot + 1) & mask
    table[slot] = value
    return True


def _grown(table: array[int]) -> array[int]:
    larger = _empty(2 * len(table))
    for value in table:
        if value:
            _place(larger, value)
    return larger
