from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from chiral.errors import StoreError
from chiral.store import values as module
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from chiral.store.values import LmdbValueStore
from tests.contracts.values import NOW, ValueStoreContract, record


class TestLmdbValueStore(ValueStoreContract):
    @pytest.fixture
    def values(self, store: Store) -> LmdbValueStore:
        return store.values


async def test_over_the_limit_the_soonest_to_expire_makes_room(tmp_path: Path) -> None:
    async with open_store(tmp_path, StoreSettings(durable=False, values_total=3)) as store:
        for number, ttl_s in enumerate((50, 10, 70, 60)):
            await store.values.put(record(b"key %d" % number, ttl_s=ttl_s))
        assert await store.values.count() == 3
        assert await store.values.get(b"key 1", NOW) == []
        await store.values.put(record(b"key 2", b"renewed"))
        assert await store.values.get(b"key 0", NOW) != []


async def test_one_author_cannot_fill_the_store(tmp_path: Path) -> None:
    async with open_store(tmp_path, StoreSettings(durable=False, values_per_author=2)) as store:
        kept = [await store.values.put(record(b"key %d" % n, author=b"anna", ttl_s=n + 1)) for n in range(3)]
        assert kept == [True, True, False]
        assert await store.values.put(record(b"key 2", author=b"bert"))
        assert await store.values.put(record(b"key 0", b"renewed", author=b"anna", ttl_s=1))
        assert await store.values.sweep(NOW + 1) == 1
        assert await store.values.put(record(b"key 2", author=b"anna")), "what expired is counted no longer"


async def test_what_expired_makes_room_under_its_key(tmp_path: Path) -> None:
    async with open_store(tmp_path, StoreSettings(durable=False, values_per_key=1)) as store:
        await store.values.put(record(b"key", author=b"anna", ttl_s=0))
        assert await store.values.put(record(b"key", author=b"bert"))
        assert not await store.values.put(record(b"key", author=b"carl"))
        assert await store.values.count() == 1


async def test_records_of_the_first_layout_are_read(tmp_path: Path) -> None:
    """They stand under SHA-256 of the key alone: records of nobody."""
    async with open_store(tmp_path, StoreSettings(durable=False)) as store:
        old = struct.pack(">dd", NOW, NOW + 100) + b"\x03key" + b"value"
        tables = store.values._tables
        await store.values._environment.write(
            lambda txn: txn.put(hashlib.sha256(b"key").digest(), old, db=tables.records)
        )
        assert await store.values.get(b"key", NOW) == [record(b"key")]


async def test_an_author_that_is_none(tmp_path: Path) -> None:
    async with open_store(tmp_path, StoreSettings(durable=False)) as store:
        with pytest.raises(StoreError, match="65 bytes"):
            await store.values.put(record(b"key", author=bytes(65)))


@pytest.mark.parametrize("data", [b"", bytes(16), bytes(16) + b"\x80", bytes(16) + b"\x04key"])
def test_a_record_that_is_none(data: bytes) -> None:
    with pytest.raises(StoreError):
        module._decode(bytes(32), data)
