from __future__ import annotations

from pathlib import Path

import pytest

from chiral.errors import StoreError
from chiral.interface.providers import ProviderLimits
from chiral.store.provider_record import decode_provider, encode_provider, key_prefix
from chiral.store.providers import LmdbProviderStore
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from tests.contracts.providers import HOUR_S, NOW, ProviderStoreContract, peer, record


class TestLmdbProviderStore(ProviderStoreContract):
    @pytest.fixture
    def providers(self, store: Store) -> LmdbProviderStore:
        return store.providers


class TestLimits:
    @pytest.fixture
    def settings(self) -> StoreSettings:
        return StoreSettings(durable=False, providers_per_key=3, providers_per_peer=4, providers_total=10)

    async def test_they_are_told(self, store: Store) -> None:
        assert store.providers.limits == ProviderLimits(per_key=3, per_peer=4, total=10)
        assert str(store.providers.limits) == "3 of a key, 4 of a peer, 10 in all"

    async def test_the_newest_of_a_key_stay(self, store: Store) -> None:
        assert await store.providers.add_many([record(b"key", number, NOW + number) for number in range(5)]) == 5
        assert [r.peer for r in await store.providers.get(b"key", NOW)] == [peer(4), peer(3), peer(2)]
        assert await store.providers.count() == 3

    async def test_an_old_record_does_not_push_out_a_newer(self, store: Store) -> None:
        await store.providers.add_many([record(b"key", number, NOW) for number in range(3)])
        assert await store.providers.add_many([record(b"key", 9, NOW - HOUR_S)]) == 0
        assert peer(9) not in {r.peer for r in await store.providers.get(b"key", NOW)}

    async def test_a_peer_has_its_share(self, store: Store) -> None:
        assert await store.providers.add_many([record(b"key %d" % number, 1) for number in range(6)]) == 4
        assert await store.providers.add_many([record(b"key 1", 1, NOW + HOUR_S)]) == 1, "renewing is not new"
        assert await store.providers.add_many([record(b"key 9", 2)]) == 1

    async def test_room_comes_back_with_removal_expiry_and_eviction(self, store: Store) -> None:
        await store.providers.add_many([record(b"key %d" % number, 1, ttl_s=number + 1) for number in range(4)])
        assert await store.providers.add_many([record(b"new", 1)]) == 0
        await store.providers.remove(b"key 0", peer(1))
        await store.providers.sweep(NOW + 2)
        await store.providers.add_many([record(b"key 2", number, NOW + number) for number in (5, 6, 7)])
        assert await store.providers.add_many([record(b"new %d" % number, 1) for number in range(9)]) == 3

    async def test_in_all(self, store: Store) -> None:
        records = [record(b"key %d" % number, number) for number in range(12)]
        assert await store.providers.add_many(records) == 10
        assert await store.providers.count() == 10
        await store.providers.remove(b"key 0", peer(0))
        assert await store.providers.add_many(records[10:]) == 1

    async def test_counts_survive_reopening(self, tmp_path: Path, settings: StoreSettings) -> None:
        async with open_store(tmp_path / "again", settings) as store:
            await store.providers.add_many([record(b"key %d" % number, 1) for number in range(4)])
        async with open_store(tmp_path / "again", settings) as store:
            assert await store.providers.add_many([record(b"new", 1)]) == 0


def test_a_record_that_is_none() -> None:
    one = record(b"key", 1)
    at, value = key_prefix(b"key") + one.peer.raw, encode_provider(one)
    assert decode_provider(at, value) == one
    for broken in (b"", value[:10], value[:16], value[:18], value[:-1], value + b"\x80"):
        with pytest.raises(StoreError):
            decode_provider(at, broken)
