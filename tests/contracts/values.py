"""What every `ValueStore` promises; a subclass gives the `values` fixture."""

from __future__ import annotations

import pytest

from chiral.interface.values import ValueRecord, ValueStore

NOW = 1_700_000_000.0


def record(
    key: bytes, value: bytes = b"value", ttl_s: float = 100.0, *, author: bytes = b"", age_s: float = 0.0
) -> ValueRecord:
    """A value received `age_s` seconds ago."""
    return ValueRecord(key, value, NOW - age_s, NOW + ttl_s, author)


class ValueStoreContract:
    @pytest.mark.parametrize("value", [b"", b"value", bytes(65 << 10)])
    async def test_what_was_put_is_got(self, values: ValueStore, value: bytes) -> None:
        assert await values.put(record(b"/pk/key", value))
        assert await values.get(b"/pk/key", NOW) == [record(b"/pk/key", value)]
        assert await values.count() == 1

    async def test_a_missing_key_has_none(self, values: ValueStore) -> None:
        await values.put(record(b"key"))
        assert await values.get(b"ke", NOW) == []

    async def test_put_replaces(self, values: ValueStore) -> None:
        await values.put(record(b"key", b"old", ttl_s=10))
        await values.put(record(b"key", b"new", ttl_s=20))
        assert await values.get(b"key", NOW + 15) == [record(b"key", b"new", ttl_s=20)]
        assert await values.sweep(NOW + 15) == 0
        assert await values.count() == 1

    async def test_expired_values_are_not_told(self, values: ValueStore) -> None:
        await values.put(record(b"key", ttl_s=10))
        assert await values.get(b"key", NOW + 9) != []
        assert await values.get(b"key", NOW + 10) == []

    async def test_sweep_deletes_the_expired(self, values: ValueStore) -> None:
        for number in range(1, 8):
            await values.put(record(b"key %d" % number, ttl_s=number))
        assert await values.sweep(NOW) == 0
        assert await values.sweep(NOW + 3) == 3
        assert await values.sweep(NOW + 100, limit=3) == 3
        assert await values.count() == 1
        assert await values.get(b"key 7", NOW) != []

    async def test_keys_of_any_length(self, values: ValueStore) -> None:
        for length in (0, 1, 80, 600):
            await values.put(record(bytes(length), b"%d" % length))
        for length in (0, 1, 80, 600):
            assert await values.get(bytes(length), NOW) == [record(bytes(length), b"%d" % length)]

    async def test_one_record_an_author(self, values: ValueStore) -> None:
        for author, age_s in ((b"", 3), (b"anna", 1), (b"bert", 2)):
            assert await values.put(record(b"key", b"old", author=author, age_s=age_s))
        await values.put(record(b"key", b"new", author=b"bert"))
        held = await values.get(b"key", NOW)
        assert [(r.author, r.value) for r in held] == [(b"bert", b"new"), (b"anna", b"old"), (b"", b"old")]
        assert await values.count() == 3

    async def test_an_author_cannot_push_out_another(self, values: ValueStore) -> None:
        authors = [b"author %d" % number for number in range(17)]
        kept = [await values.put(record(b"key", ttl_s=10 + number, author=a)) for number, a in enumerate(authors)]
        assert kept == [True] * 16 + [False]
        assert {r.author for r in await values.get(b"key", NOW)} == set(authors[:16])
        assert await values.put(record(b"key", b"renewed", author=authors[0]))
        assert await values.put(record(b"other key", author=authors[16]))

    async def test_one_author_expires_without_the_others(self, values: ValueStore) -> None:
        await values.put(record(b"key", ttl_s=10, author=b"anna"))
        await values.put(record(b"key", ttl_s=20, author=b"bert"))
        assert [r.author for r in await values.get(b"key", NOW + 10)] == [b"bert"]
        assert await values.sweep(NOW + 10) == 1
        assert await values.count() == 1
