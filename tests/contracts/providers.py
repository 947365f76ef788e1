"""What every `ProviderStore` promises; a subclass gives the `providers` fixture."""

from __future__ import annotations

from chiral.interface.peer import PeerId
from chiral.interface.providers import ProviderRecord, ProviderStore

HOUR_S = 3600.0
NOW = 1_700_000_000.0


def peer(number: int) -> PeerId:
    """A peer id, different for each number."""
    return PeerId(b"\x12\x20" + number.to_bytes(32, "big"))


def record(key: bytes, number: int, received_at: float = NOW, ttl_s: float = 24 * HOUR_S) -> ProviderRecord:
    """That peer `number` provides `key`."""
    return ProviderRecord(key, peer(number), (b"\x04\x7f\x00\x00\x01\x06\x0f\xa1",), received_at, received_at + ttl_s)


class ProviderStoreContract:
    async def test_what_was_added_is_got(self, providers: ProviderStore) -> None:
        many_addrs = ProviderRecord(b"key", peer(2), (b"a", b"b" * 200), NOW + 1.5, NOW + HOUR_S)
        no_addrs = ProviderRecord(b"key", peer(3), (), NOW, NOW + HOUR_S)
        assert await providers.add_many([many_addrs, no_addrs, record(b"other", 1)]) == 3
        assert await providers.get(b"key", NOW) == [many_addrs, no_addrs]
        assert await providers.count() == 3

    async def test_an_unknown_key_has_none(self, providers: ProviderStore) -> None:
        await providers.add_many([record(b"key", 1)])
        assert await providers.get(b"ke", NOW) == []
        assert await providers.get(b"key\x00", NOW) == []
        assert await providers.remove(b"ke", peer(1)) is False
        assert await providers.add_many([]) == 0

    async def test_newest_first(self, providers: ProviderStore) -> None:
        records = [record(b"key", number, NOW + (number * 7) % 10) for number in range(10)]
        await providers.add_many(records)
        got = await providers.get(b"key", NOW)
        assert got == sorted(records, key=lambda r: -r.received_at)

    async def test_renewing_replaces(self, providers: ProviderStore) -> None:
        await providers.add_many([record(b"key", 1)])
        renewed = record(b"key", 1, NOW + 12 * HOUR_S)
        assert await providers.add_many([renewed]) == 1
        assert await providers.get(b"key", NOW) == [renewed]
        assert await providers.count() == 1
        assert await providers.sweep(NOW + 25 * HOUR_S) == 0
        assert await providers.get(b"key", NOW + 25 * HOUR_S) == [renewed]

    async def test_expired_records_are_not_told(self, providers: ProviderStore) -> None:
        await providers.add_many([record(b"key", 1, ttl_s=10), record(b"key", 2, ttl_s=20)])
        assert {r.peer for r in await providers.get(b"key", NOW + 9)} == {peer(1), peer(2)}
        assert [r.peer for r in await providers.get(b"key", NOW + 10)] == [peer(2)]
        assert await providers.get(b"key", NOW + 20) == []

    async def test_sweep_deletes_the_expired(self, providers: ProviderStore) -> None:
        await providers.add_many([record(b"key %d" % number, number, ttl_s=number) for number in range(1, 11)])
        assert await providers.sweep(NOW) == 0
        assert await providers.sweep(NOW + 4) == 4
        assert await providers.count() == 6
        assert await providers.sweep(NOW + 100, limit=5) == 5
        assert await providers.sweep(NOW + 100, limit=5) == 1
        assert await providers.count() == 0

    async def test_removed_is_gone(self, providers: ProviderStore) -> None:
        await providers.add_many([record(b"key", 1), record(b"key", 2)])
        assert await providers.remove(b"key", peer(1)) is True
        assert await providers.remove(b"key", peer(1)) is False
        assert [r.peer for r in await providers.get(b"key", NOW)] == [peer(2)]
        assert await providers.count() == 1
        assert await providers.sweep(NOW + 25 * HOUR_S) == 1

    async def test_keys_of_any_length(self, providers: ProviderStore) -> None:
        records = [record(bytes(length), length) for length in (1, 2, 36, 80, 600)]
        assert await providers.add_many(records) == len(records)
        for one in records:
            assert await providers.get(one.key, NOW) == [one]

    async def test_a_key_has_a_bounded_number(self, providers: ProviderStore) -> None:
        records = [record(b"key", number, NOW + number) for number in range(300)]
        await providers.add_many(records)
        held = await providers.get(b"key", NOW)
        assert 0 < len(held) < 300
        assert await providers.count() == len(held)
