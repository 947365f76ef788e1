"""Value records of the DHT in LMDB, behind the `ValueStore` port: one an author under a key.

Where all of them are too many the soonest to expire makes room; too many under one key or of one author are refused,
so that nobody can push out what another keeps there.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chiral.block.varint import VarintError, decode_varint, encode_varint
from chiral.errors import StoreError
from chiral.interface.peer import MAX_PEER_ID_BYTES
from chiral.interface.values import ValueRecord
from chiral.store.environment import Environment
from chiral.store.expiry_index import add_expiry, drop_expiry, expired_keys

if TYPE_CHECKING:
    from chiral.store.schema import AnyTransaction, ReadTransaction, WriteTransaction

_TIMES = struct.Struct(">dd")
_FOREVER = float("inf")
_PREFIX_BYTES = 32


class LmdbValueStore:
    """The `ValueStore` of an environment. A record stands under SHA-256 of its key, of any length, and its author."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables
        self._settings = environment.settings

    async def put(self, record: ValueRecord) -> bool:
        at = _place(record.key, record.author)

        def apply(txn: WriteTransaction) -> bool:
            if not self._delete(txn, at) and not self._make_room(txn, record):
                return False
            txn.put(at, _encode(record), db=self._tables.records)
            add_expiry(txn, self._tables.record_expiry, record.expires_at, at)
            self._count_for_author(txn, record.author, 1)
            return True

        return await self._environment.write(apply, size_bytes=len(record.value))

    async def get(self, key: bytes, now: float) -> list[ValueRecord]:
        def look(txn: ReadTransaction) -> list[ValueRecord]:
            held = (_decode(bytes(at), bytes(data)) for at, data in self._of_key(txn, _place(key)))
            return sorted((r for r in held if r.expires_at > now), key=lambda r: r.received_at, reverse=True)

        return await self._environment.read(look)

    async def sweep(self, now: float, limit: int = 10_000) -> int:
        def apply(txn: WriteTransaction) -> int:
            due = expired_keys(txn, self._tables.record_expiry, now, limit)
            return sum(self._delete(txn, at) for _, at in due)

        return await self._environment.write(apply, grows=False)

    async def count(self) -> int:
        return await self._environment.read(lambda txn: txn.stat(self._tables.records)["entries"])

    def _make_room(self, txn: WriteTransaction, record: ValueRecord) -> bool:
        """Whether a new record may be added; then there is a place for it."""
        if self._records_of_author(txn, record.author) >= self._settings.values_per_author:
            return False
        held = [bytes(at) for at, _ in self._of_key(txn, _place(record.key))]
        if len(held) >= self._settings.values_per_key and not self._drop_expired(txn, held, record.received_at):
            return False
        if txn.stat(self._tables.records)["entries"] >= self._settings.values_total:
            for _, soonest in expired_keys(txn, self._tables.record_expiry, _FOREVER, 1):
                self._delete(txn, soonest)
        return True

    def _drop_expired(self, txn: WriteTransaction, held: list[bytes], now: float) -> bool:
        """Delete what the next sweep would; true if that was any."""
        values = ((at, txn.get(at, db=self._tables.records)) for at in held)
        expired = [at for at, value in values if value is not None and _TIMES.unpack_from(value)[1] <= now]
        return any([self._delete(txn, at) for at in expired])

    def _delete(self, txn: WriteTransaction, at: bytes) -> bool:
        value = txn.get(at, db=self._tables.records)
        if value is None:
            return False
        drop_expiry(txn, self._tables.record_expiry, _TIMES.unpack_from(value)[1], at)
        txn.delete(at, db=self._tables.records)
        self._count_for_author(txn, at[_PREFIX_BYTES:], -1)
        return True

    def _of_key(self, txn: AnyTransaction, prefix: bytes) -> Iterator[tuple[bytes | memoryview, bytes | memoryview]]:
        with txn.cursor(db=self._tables.records) as cursor:
            more = cursor.set_range(prefix)
            while more and cursor.key()[:_PREFIX_BYTES] == prefix:
                yield cursor.item()
                more = cursor.next()

    def _records_of_author(self, txn: WriteTransaction, author: bytes) -> int:
        """Nobody has none: those are as many as there are keys."""
        return int.from_bytes(txn.get(author, b"", db=self._tables.record_authors), "big") if author else 0

    def _count_for_author(self, txn: WriteTransaction, author: bytes, more: int) -> None:
        if not author:
            return
        count = self._records_of_author(txn, author) + more
        if count > 0:
            txn.put(author, count.to_bytes(4, "big"), db=self._tables.record_authors)
        else:
            txn.delete(author, db=self._tables.record_authors)


def _place(key: bytes, author: bytes = b"") -> bytes:
    if len(author) > MAX_PEER_ID_BYTES:
        raise StoreError(f"an author of {len(author)} bytes, over {MAX_PEER_ID_BYTES}")
    return hashlib.sha256(key).digest() + author


def _encode(record: ValueRecord) -> bytes:
    times = _TIMES.pack(record.received_at, record.expires_at)
    return times + encode_varint(len(record.key)) + record.key + record.value


def _decode(at: bytes, data: bytes) -> ValueRecord:
    try:
        received_at, expires_at = _TIMES.unpack_from(data)
        length, start = decode_varint(data, _TIMES.size)
        if start + length > len(data):
            raise VarintError("ends short")
    except (VarintError, struct.error) as error:
        raise StoreError("a value record in the store cannot be read") from error
    end = start + length
    return ValueRecord(data[start:end], data[end:], received_at, expires_at, at[_PREFIX_BYTES:])
