"""Value records of the DHT in LMDB, behind the `ValueStore` port; over the limit the soonest to expire makes room."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

from chiral.block.varint import VarintError, decode_varint, encode_varint
from chiral.errors import StoreError
from chiral.interface.values import ValueRecord
from chiral.store.environment import Environment
from chiral.store.expiry_index import add_expiry, drop_expiry, expired_keys

if TYPE_CHECKING:
    from chiral.store.schema import WriteTransaction

_TIMES = struct.Struct(">dd")
_FOREVER = float("inf")


class LmdbValueStore:
    """The `ValueStore` of an environment. Keys of any length: a record stands under SHA-256 of its key."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables
        self._limit = environment.settings.values_total

    async def put(self, record: ValueRecord) -> None:
        def apply(txn: WriteTransaction) -> None:
            at = _place(record.key)
            if not self._delete(txn, at) and txn.stat(self._tables.records)["entries"] >= self._limit:
                for _, soonest in expired_keys(txn, self._tables.record_expiry, _FOREVER, 1):
                    self._delete(txn, soonest)
            txn.put(at, _encode(record), db=self._tables.records)
            add_expiry(txn, self._tables.record_expiry, record.expires_at, at)

        await self._environment.write(apply, size_bytes=len(record.value))

    async def get(self, key: bytes, now: float) -> ValueRecord | None:
        data = await self._environment.read(lambda txn: txn.get(_place(key), db=self._tables.records))
        record = None if data is None else _decode(data)
        return record if record is not None and record.expires_at > now else None

    async def sweep(self, now: float, limit: int = 10_000) -> int:
        def apply(txn: WriteTransaction) -> int:
            due = expired_keys(txn, self._tables.record_expiry, now, limit)
            return sum(self._delete(txn, at) for _, at in due)

        return await self._environment.write(apply, grows=False)

    async def count(self) -> int:
        return await self._environment.read(lambda txn: txn.stat(self._tables.records)["entries"])

    def _delete(self, txn: WriteTransaction, at: bytes) -> bool:
        value = txn.get(at, db=self._tables.records)
        if value is None:
            return False
        drop_expiry(txn, self._tables.record_expiry, _TIMES.unpack_from(value)[1], at)
        return txn.delete(at, db=self._tables.records)


def _place(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _encode(record: ValueRecord) -> bytes:
    times = _TIMES.pack(record.received_at, record.expires_at)
    return times + encode_varint(len(record.key)) + record.key + record.value


def _decode(data: bytes) -> ValueRecord:
    try:
        received_at, expires_at = _TIMES.unpack_from(data)
        length, start = decode_varint(data, _TIMES.size)
        if start + length > len(data):
            raise VarintError("ends short")
    except (VarintError, struct.error) as error:
        raise StoreError("a value record in the store cannot be read") from error
    end = start + length
    return ValueRecord(data[start:end], data[end:], received_at, expires_at)
