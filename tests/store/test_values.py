from __future__ import annotations

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
        assert await store.values.get(b"key 1", NOW) is None
        await store.values.put(record(b"key 2", b"renewed"))
        assert await store.values.get(b"key 0", NOW) is not None


@pytest.mark.parametrize("data", [b"", bytes(16), bytes(16) + b"\x80", bytes(16) + b"\x04key"])
def test_a_record_that_is_none(data: bytes) -> None:
    with pytest.raises(StoreError):
        module._decode(data)
