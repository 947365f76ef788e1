"""What every `ValueStore` promises; a subclass gives the `values` fixture."""

from __future__ import annotations

import pytest

from chiral.interface.values import ValueRecord, ValueStore

NOW = 1_700_000_000.0


def record(key: bytes, value: bytes = b"value", ttl_s: float = 100.0) -> ValueRecord:
    """A value received now."""
    return ValueRecord(key, value, NOW, NOW + ttl_s)


class ValueStoreContract:
    @pytest.mark.parametrize("value", [b"", b"value", bytes(65 << 10)])
    async def test_what_was_put_is_got(self, values: ValueStore, value: bytes) -> None:
        await values.put(record(b"/pk/key", value))
        assert await values.get(b"/pk/key", NOW) == record(b"/pk/key", value)
        assert await values.count() == 1

    async def test_a_missing_key_is_none(self, values: ValueStore) -> None:
        await values.put(record(b"key"))
        assert await values.get(b"ke", NOW) is None

    async def test_put_replaces(self, values: ValueStore) -> None:
        await values.put(record(b"key", b"old", ttl_s=10))
        await values.put(record(b"key", b"new", ttl_s=20))
        assert await values.get(b"key", NOW + 15) == record(b"key", b"new", ttl_s=20)
        assert await values.sweep(NOW + 15) == 0
        assert await values.count() == 1

    async def test_expired_values_are_not_told(self, values: ValueStore) -> None:
        await values.put(record(b"key", ttl_s=10))
        assert await values.get(b"key", NOW + 9) is not None
        assert await values.get(b"key", NOW + 10) is None

    async def test_sweep_deletes_the_expired(self, values: ValueStore) -> None:
        for number in range(1, 8):
            await values.put(record(b"key %d" % number, ttl_s=number))
        assert await values.sweep(NOW) == 0
        assert await values.sweep(NOW + 3) == 3
        assert await values.sweep(NOW + 100, limit=3) == 3
        assert await values.count() == 1
        assert await values.get(b"key 7", NOW) is not None

    async def test_keys_of_any_length(self, values: ValueStore) -> None:
        for length in (0, 1, 80, 600):
            await values.put(record(bytes(length), b"%d" % length))
        for length in (0, 1, 80, 600):
            assert await values.get(bytes(length), NOW) == record(bytes(length), b"%d" % length)
