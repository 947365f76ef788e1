"""Small state that survives a restart, in LMDB behind the `Datastore` port: all its tables in one, by prefix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chiral.errors import StoreError
from chiral.store.environment import Environment
from chiral.store.schema import MAX_KEY_BYTES

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction, WriteTransaction


class LmdbDatastore:
    """The `Datastore` of an environment. Raises `StoreError` for a key that is too long with its table's name."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables

    async def get(self, table: str, key: bytes) -> bytes | None:
        at = _place(table, key)
        return await self._environment.read(lambda txn: txn.get(at, db=self._tables.state))

    async def put_many(self, table: str, items: Mapping[bytes, bytes | None]) -> None:
        placed = {_place(table, key): value for key, value in items.items()}

        def apply(txn: WriteTransaction) -> None:
            for at, value in placed.items():
                if value is None:
                    txn.delete(at, db=self._tables.state)
                else:
                    txn.put(at, value, db=self._tables.state)

        grows = any(value is not None for value in placed.values())
        size = sum(len(value or b"") for value in placed.values())
        await self._environment.write(apply, size_bytes=size, grows=grows)

    async def page(
        self, table: str, prefix: bytes = b"", after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        strip = len(_place(table, b""))
        wanted = _place(table, prefix)
        begin = max(wanted, _place(table, after))

        def look(txn: ReadTransaction) -> list[tuple[bytes, bytes]]:
            found: list[tuple[bytes, bytes]] = []
            with txn.cursor(db=self._tables.state) as cursor:
                more = cursor.set_range(begin)
                if more and after and cursor.key() == _place(table, after):
                    more = cursor.next()
                while more and len(found) < limit and cursor.key().startswith(wanted):
                    found.append((cursor.key()[strip:], cursor.value()))
                    more = cursor.next()
            return found

        return await self._environment.read(look)


def _place(table: str, key: bytes) -> bytes:
    at = table.encode() + b"\0" + key
    if len(at) > MAX_KEY_BYTES:
        raise StoreError(f"a key of {len(key)} bytes in table {table!r} is over the limit")
    return at
