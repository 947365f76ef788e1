"""Which CIDs of a DAG have been met: a compact numbered set, for a million blocks some 28 MB."""

from __future__ import annotations

import hashlib
from array import array

KEY_BYTES = 16
"""Of a keyed hash: nobody can make two CIDs that meet here, nor many that crowd one place of a table."""
_SHARDS = 1024
"""Each grows alone, so that growing never takes longer than a millisecond or two at a million CIDs."""
_FIRST_PLACES = 16
_FILL = 0.6


class SeenCids:
    """Gives each CID a number, 0 and up, in the order they come. `key` is 16 random bytes of the walk's own."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._names = bytearray()
        self._tables = [_table(_FIRST_PLACES) for _ in range(_SHARDS)]
        """Open addressing: the number of the CID that has the place, plus one; 0 is a free place."""
        self._counts = array("I", bytes(4 * _SHARDS))

    def __len__(self) -> int:
        return len(self._names) // KEY_BYTES

    def __contains__(self, cid: bytes) -> bool:
        name = self._name(cid)
        hashed = _hash(name)
        table = self._tables[hashed % _SHARDS]
        return table[self._place(table, hashed, name)] != 0

    def number(self, cid: bytes) -> tuple[int, bool]:
        """The number of the CID with this binary form, and whether it was given only now."""
        name = self._name(cid)
        hashed = _hash(name)
        shard = hashed % _SHARDS
        table = self._tables[shard]
        place = self._place(table, hashed, name)
        known = table[place]
        if known:
            return known - 1, False
        number = len(self)
        self._names += name
        table[place] = number + 1
        self._counts[shard] += 1
        if self._counts[shard] > _FILL * len(table):
            self._grow(shard)
        return number, True

    def _name(self, cid: bytes) -> bytes:
        return hashlib.blake2b(cid, digest_size=KEY_BYTES, key=self._key).digest()

    def _place(self, table: array[int], hashed: int, name: bytes) -> int:
        """Where in `table` the CID is, or may be put."""
        names = self._names
        mask = len(table) - 1
        place = (hashed // _SHARDS) & mask
        while number := table[place]:
            if names[(number - 1) * KEY_BYTES : number * KEY_BYTES] == name:
                break
            place = (place + 1) & mask
        return place

    def _grow(self, shard: int) -> None:
        before = self._tables[shard]
        table = self._tables[shard] = _table(2 * len(before))
        for number in filter(None, before):
            name = bytes(self._names[(number - 1) * KEY_BYTES : number * KEY_BYTES])
            table[self._place(table, _hash(name), name)] = number


def _table(places: int) -> array[int]:
    return array("I", bytes(4 * places))


def _hash(name: bytes) -> int:
    return int.from_bytes(name[:8], "little")
