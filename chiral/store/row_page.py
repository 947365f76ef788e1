"""Pages of rows: some hundred rows in one value, which a search passes over at a glance. Touches no store."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

from chiral.store.search_row import RowFilter

MAX_ROWS = 128
_HEAD = struct.Struct("=HI")
"""How many rows, and where they begin."""
Row = tuple[bytes, int, bytes]
"""Key, size in bytes, and the row itself."""


class RowPage:
    """A page that is being changed; its rows stand in the order of their keys."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    @classmethod
    def decode(cls, page: bytes) -> RowPage:
        """The page in `page`, as `encode` made it."""
        count, start = _HEAD.unpack_from(page)
        sizes, key_ends, row_ends = _columns(page, count)
        keys_at = start - (key_ends[-1] if count else 0)
        keys = [page[keys_at + at : keys_at + end] for at, end in pairwise((0, *key_ends))]
        rows = [page[start + at : start + end] for at, end in pairwise((0, *row_ends))]
        return cls(list(zip(keys, sizes, rows, strict=True)))

    def encode(self) -> bytes:
        """Sizes, ends of keys and rows, keys, rows."""
        sizes = array("Q", [size for _, size, _ in self.rows])
        key_ends = array("I", accumulate(len(key) for key, _, _ in self.rows))
        row_ends = array("I", accumulate(len(row) for _, _, row in self.rows))
        keys = b"".join([key for key, _, _ in self.rows])
        columns = sizes.tobytes() + key_ends.tobytes() + row_ends.tobytes()
        start = _HEAD.size + len(columns) + len(keys)
        head = _HEAD.pack(len(self.rows), start)
        return b"".join([head, columns, keys, *[row for _, _, row in self.rows]])

    def put(self, row: Row) -> None:
        """Add a row, or replace the one of the same key."""
        at = bisect_left(self.rows, row[0], key=_key_of)
        found = at < len(self.rows) and self.rows[at][0] == row[0]
        self.rows[at : at + found] = [row]

    def drop(self, key: bytes) -> None:
        """Take the row under `key` out, if there is one."""
        at = bisect_left(self.rows, key, key=_key_of)
        if at < len(self.rows) and self.rows[at][0] == key:
            del self.rows[at]

    def split(self, *, grows_first: bool) -> list[RowPage]:
        """Itself in pages of at most `MAX_ROWS`: all alike, or but for the first full, where new rows come to that."""
        count = len(self.rows)
        pages = max(1, -(-count // MAX_ROWS))
        size = MAX_ROWS if grows_first else max(1, -(-count // pages))
        ends = range(count, 0, -size)
        return [RowPage(self.rows[max(0, end - size) : end]) for end in reversed(ends)]

    @property
    def last_key(self) -> bytes:
        return self.rows[-1][0]


def wanted_keys(page: bytes, wanted: RowFilter, start: bytes) -> list[bytes]:
    """The keys, in order and from `start` on, of the rows in an encoded page that are wanted."""
    count, rows_at = _HEAD.unpack_from(page)
    if not all(page.find(needle, rows_at) >= 0 for needle in wanted.needles):
        return []
    sizes, key_ends, row_ends = _columns(page, count)
    near: Sequence[int] = range(count)
    if wanted.needles:
        near = _near(page, rows_at, row_ends, wanted.needles[0])
    if not wanted.any_size:
        least, most = wanted.least, wanted.most
        near = [index for index in near if least <= sizes[index] <= most]
    if wanted.needles:
        starts = (0, *row_ends)
        near = [index for index in near if wanted.wants(page[rows_at + starts[index] : rows_at + row_ends[index]])]
    keys_at = rows_at - key_ends[-1]
    found = [page[keys_at + (key_ends[index - 1] if index else 0) : keys_at + key_ends[index]] for index in near]
    return [key for key in found if key >= start]


def _near(page: bytes, rows_at: int, row_ends: array[int], needle: bytes) -> list[int]:
    """The numbers of the rows in which `needle` begins."""
    found: list[int] = []
    at = page.find(needle, rows_at)
    while at >= 0:
        index = bisect_right(row_ends, at - rows_at)
        if index == len(row_ends):
            break
        found.append(index)
        at = page.find(needle, rows_at + row_ends[index])
    return found


def _columns(page: bytes, count: int) -> tuple[array[int], array[int], array[int]]:
    """Sizes, ends of keys, ends of rows."""
    columns = []
    at = _HEAD.size
    for code in "QII":
        column = array(code)
        end = at + count * column.itemsize
        column.frombytes(page[at:end])
        columns.append(column)
        at = end
    return columns[0], columns[1], columns[2]


def _key_of(row: Row) -> bytes:
    return row[0]
