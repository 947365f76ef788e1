"""The blocks lately read, in memory, up to a sum of their sizes: which stay, and how often that paid."""

from __future__ import annotations

from collections import OrderedDict

from chiral.interface.blockstore import CacheStats

ENTRY_BYTES = 200
"""What a block is charged beside its bytes: its name and its places."""


class BlockCache:
    """Bytes under multihashes in the order of last use; the oldest leave when there are over `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._blocks: OrderedDict[bytes, bytes] = OrderedDict()
        self._sum = 0
        self._hits = 0
        self._misses = 0

    def get(self, key: bytes) -> bytes | None:
        """The block's bytes, if they are here."""
        data = self._blocks.get(key)
        if data is None:
            self._misses += 1
            return None
        self._hits += 1
        self._blocks.move_to_end(key)
        return data

    def put(self, key: bytes, data: bytes) -> None:
        """Keep the block; one over a quarter of the limit is not kept, for it would drive out too many."""
        size = len(data) + ENTRY_BYTES
        if size * 4 > self._limit:
            return
        self.discard(key)
        self._blocks[key] = data
        self._sum += size
        while self._sum > self._limit:
            _, gone = self._blocks.popitem(last=False)
            self._sum -= len(gone) + ENTRY_BYTES

    def discard(self, key: bytes) -> None:
        """The block is gone."""
        gone = self._blocks.pop(key, None)
        if gone is not None:
            self._sum -= len(gone) + ENTRY_BYTES

    def stats(self) -> CacheStats:
        """The figures now."""
        asked = self._hits + self._misses
        rate = self._hits / asked if asked else 0.0
        return CacheStats(len(self._blocks), self._sum, self._limit, self._hits, self._misses, round(rate, 3))
