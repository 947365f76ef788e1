"""Which blocks are likely in memory: those lately read or written, up to a sum of sizes. Holds names, no data."""

from __future__ import annotations

from collections import OrderedDict

_LEAST_CHARGE_BYTES = 16 << 10
"""What the smallest block is charged: bounds the number of names to the capacity over this."""


class HotSet:
    """Multihashes in the order of last use; the oldest leave when the sizes sum up to over `capacity_bytes`."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = capacity_bytes
        self._sizes: OrderedDict[bytes, int] = OrderedDict()
        self._sum = 0

    def __contains__(self, key: bytes) -> bool:
        return key in self._sizes

    def touch(self, key: bytes, size_bytes: int) -> None:
        """`key` was read or written just now."""
        if key in self._sizes:
            self._sizes.move_to_end(key)
            return
        charge = max(size_bytes, _LEAST_CHARGE_BYTES)
        self._sizes[key] = charge
        self._sum += charge
        while self._sum > self._capacity:
            _, gone = self._sizes.popitem(last=False)
            self._sum -= gone

    def discard(self, key: bytes) -> None:
        """`key` is gone."""
        self._sum -= self._sizes.pop(key, 0)
