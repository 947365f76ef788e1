"""The table of pages of rows, inside a transaction. A page stands under the key of its last row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chiral.store.row_page import Row, RowPage, wanted_keys
from chiral.store.search_row import RowFilter

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction, Tables, WriteTransaction


def change_rows(txn: WriteTransaction, tables: Tables, drop: Iterable[bytes], put: Sequence[Row]) -> None:
    """Take out the rows under the keys `drop`, and then put those given. Each page that is touched is written once."""
    changes: dict[bytes, Row | None] = dict.fromkeys(drop)
    changes.update((row[0], row) for row in put)
    keys = sorted(changes)
    at = 0
    while at < len(keys):
        place = _place_of(txn, tables, keys[at])
        page = RowPage([]) if place.page is None else RowPage.decode(place.page)
        while at < len(keys) and (place.is_last or keys[at] <= place.key):
            row = changes[keys[at]]
            if row is None:
                page.drop(keys[at])
            else:
                page.put(row)
            at += 1
        _write(txn, tables, place, page)


def wanted_rows(
    txn: ReadTransaction, tables: Tables, wanted: RowFilter, start: bytes, most_pages: int, limit: int
) -> tuple[list[bytes], bytes | None]:
    """The keys of up to `limit` rows that are wanted, among those of `most_pages` pages from key `start` on.

    Also the key to go on from, None at the end of the table.
    """
    found: list[bytes] = []
    with txn.cursor(db=tables.file_rows) as cursor:
        if not cursor.set_range(start):
            return found, None
        for seen, (key, page) in enumerate(cursor):
            if seen == most_pages:
                return found, start
            found += wanted_keys(page, wanted, start)
            if len(found) >= limit:
                return found[:limit], found[limit - 1] + b"\x00"
            start = key + b"\x00"
    return found, None


@dataclass(frozen=True, slots=True)
class _Place:
    """A page in the table, None where there is none yet, and the key it stands under."""

    key: bytes
    page: bytes | None
    is_first: bool
    is_last: bool


def _place_of(txn: WriteTransaction, tables: Tables, key: bytes) -> _Place:
    """The page that a row of `key` belongs to."""
    with txn.cursor(db=tables.file_rows) as cursor:
        if not cursor.set_range(key) and not cursor.last():
            return _Place(b"", None, is_first=True, is_last=True)
        at, page = bytes(cursor.key()), bytes(cursor.value())
        is_last = not cursor.next()
        cursor.set_key(at)
        return _Place(at, page, is_first=not cursor.prev(), is_last=is_last)


def _write(txn: WriteTransaction, tables: Tables, place: _Place, page: RowPage) -> None:
    """Write `page` in place of the one that was there."""
    parts = page.split(grows_first=place.is_first)
    if place.page is not None and (not parts or parts[-1].last_key != place.key):
        txn.delete(place.key, db=tables.file_rows)
    for part in parts:
        txn.put(part.last_key, part.encode(), db=tables.file_rows)
