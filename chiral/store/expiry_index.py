"""Records by when they expire, inside a transaction: what a sweep walks instead of all records."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmdb import _Database

    from chiral.store.schema import AnyTransaction, WriteTransaction

_TIME = struct.Struct(">d")
"""Big-endian doubles of times after 1970 sort as bytes in the order of time."""


def add_expiry(txn: WriteTransaction, index: _Database, expires_at: float, key: bytes) -> None:
    """The record under `key` expires at `expires_at` (Unix seconds)."""
    txn.put(_entry(expires_at, key), b"", db=index)


def drop_expiry(txn: WriteTransaction, index: _Database, expires_at: float, key: bytes) -> None:
    """The record under `key` is gone or renewed."""
    txn.delete(_entry(expires_at, key), db=index)


def expired_keys(txn: AnyTransaction, index: _Database, now: float, limit: int) -> list[tuple[float, bytes]]:
    """`(expiry, key)` of up to `limit` records that expired by `now`, the longest expired first."""
    found: list[tuple[float, bytes]] = []
    with txn.cursor(db=index) as cursor:
        more = cursor.first()
        while more and len(found) < limit:
            entry = bytes(cursor.key())
            expires_at = float(_TIME.unpack_from(entry)[0])
            if expires_at > now:
                break
            found.append((expires_at, entry[_TIME.size :]))
            more = cursor.next()
    return found


def _entry(expires_at: float, key: bytes) -> bytes:
    return _TIME.pack(max(expires_at, 0.0)) + key
