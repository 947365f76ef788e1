"""Finding catalogued files other than by their root, in a transaction: by DAG root, by what a row says, by expiry."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from chiral.errors import StoreError
from chiral.store.expiry_index import add_expiry, drop_expiry
from chiral.store.file_record import decode_record
from chiral.store.row_table import change_rows
from chiral.store.search_row import pack_row, row_key

if TYPE_CHECKING:
    from chiral.interface.catalogue import FileRecord
    from chiral.store.schema import ReadTransaction, Tables, WriteTransaction

_INDEXED_AT_ONCE = 512


def change_entries(
    txn: WriteTransaction, tables: Tables, gone: Sequence[FileRecord], now: Sequence[FileRecord]
) -> None:
    """Have the records `gone`, as they were, found no more, and those of `now` found."""
    for record in gone:
        root = record.root.multihash
        if record.dag_root is not None:
            txn.delete(record.dag_root.multihash, root, db=tables.dag_roots)
        if record.expires_at is not None:
            drop_expiry(txn, tables.file_expiry, record.expires_at, root)
    for record in now:
        root = record.root.multihash
        if record.dag_root is not None:
            txn.put(record.dag_root.multihash, root, dupdata=False, db=tables.dag_roots)
        if record.expires_at is not None:
            add_expiry(txn, tables.file_expiry, record.expires_at, root)
    rows = [(_key(record), record.size, pack_row(record)) for record in now]
    change_rows(txn, tables, map(_key, gone), rows)


def root_with_dag(txn: ReadTransaction, tables: Tables, dag_root: bytes) -> bytes | None:
    """The root catalogued with this DAG root, one that is another before itself; all multihashes."""
    with txn.cursor(db=tables.dag_roots) as cursor:
        if not cursor.set_key(dag_root):
            return None
        roots = [bytes(root) for root in cursor.iternext_dup()]
    return next((root for root in roots if root != dag_root), roots[0])


def index_files(txn: WriteTransaction, tables: Tables, place: bytes) -> bytes | None:
    """A step of a migration: have the next files behind multihash `place` found, as of a store that had no index.

    A record that cannot be read has nothing to be found by and is passed over.
    """
    found: list[FileRecord] = []
    with txn.cursor(db=tables.files) as cursor:
        more = cursor.set_range(place + b"\x00") if place else cursor.first()
        count = 0
        while more and count < _INDEXED_AT_ONCE:
            place = bytes(cursor.key())
            with suppress(StoreError):
                found.append(decode_record(bytes(cursor.value())))
            count += 1
            more = cursor.next()
    change_entries(txn, tables, (), found)
    return place if more else None


def _key(record: FileRecord) -> bytes:
    return row_key(record.added_at, record.root.multihash)
