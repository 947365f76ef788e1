from __future__ import annotations

from pathlib import Path

import pytest

from chiral.errors import StoreError
from chiral.store.datastore import LmdbDatastore
from chiral.store.store import Store, open_store
from tests.contracts.datastore import DatastoreContract


class TestLmdbDatastore(DatastoreContract):
    @pytest.fixture
    def datastore(self, store: Store) -> LmdbDatastore:
        return store.state


async def test_a_key_that_is_too_long(store: Store) -> None:
    longest = bytes(511 - len("table") - 1)
    await store.state.put_many("table", {longest: b"fits"})
    assert await store.state.get("table", longest) == b"fits"
    with pytest.raises(StoreError, match="over the limit"):
        await store.state.put_many("table", {b"fine": b"", longest + b"x": b""})
    assert await store.state.get("table", b"fine") is None


async def test_state_survives_reopening(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.state.put_many("sessions", {b"one": b"1"})
    async with open_store(tmp_path) as store:
        assert await store.state.page("sessions") == [(b"one", b"1")]
