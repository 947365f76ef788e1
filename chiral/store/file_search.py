"""Searching the catalogue in LMDB: goes through the rows in slices, so that no read and no turn of a thread is long."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chiral.errors import StoreError
from chiral.interface.catalogue import FileQuery, FileRecord, Place
from chiral.store.environment import Environment
from chiral.store.file_record import decode_record
from chiral.store.row_table import wanted_rows
from chiral.store.search_row import RowFilter, added_at_of, root_of, row_key

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction

_SLICE_PAGES = 128
"""A millisecond or two."""
_LAST_KEY = b"\xff" * 9


class FileSearch:
    """Searches the catalogue of an environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables

    async def run(self, query: FileQuery, after: Place | None, limit: int) -> list[FileRecord]:
        """Up to `limit` records that fit, the latest added first, beginning behind the place `after`."""
        wanted = RowFilter(query)
        start, end = _first_key(query, after), _end_key(query)
        found: list[FileRecord] = []
        while start is not None and start < end and len(found) < limit:
            look = partial(self._slice, wanted, start, end, limit - len(found))
            records, start = await self._environment.read(look)
            found += records
        return found

    def _slice(
        self, wanted: RowFilter, start: bytes, end: bytes, limit: int, txn: ReadTransaction
    ) -> tuple[list[FileRecord], bytes | None]:
        keys, following = wanted_rows(txn, self._tables, wanted, start, _SLICE_PAGES, limit)
        records = (self._record(key, txn) for key in keys if key < end)
        return [record for record in records if record is not None], following

    def _record(self, key: bytes, txn: ReadTransaction) -> FileRecord | None:
        """What a row leads to; None for a row that a damaged record left behind, or that leads to a damaged one."""
        data = txn.get(root_of(key), db=self._tables.files)
        if data is None:
            return None
        try:
            record = decode_record(data)
        except StoreError:
            return None
        return record if record.added_at == added_at_of(key) else None


def _first_key(query: FileQuery, after: Place | None) -> bytes | None:
    """Where the rows that are new enough begin, or those behind `after`; None if there can be none."""
    if query.before is not None and query.before <= 0:
        return None
    first = b"" if query.before is None else row_key(query.before - 1, b"")
    return first if after is None else max(first, row_key(after[0], after[1].multihash) + b"\x00")


def _end_key(query: FileQuery) -> bytes:
    """The first key that is too old."""
    return _LAST_KEY if query.since is None or query.since <= 0 else row_key(query.since - 1, b"")
