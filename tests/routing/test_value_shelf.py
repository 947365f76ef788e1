"""What may stand at this node, and which record is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chiral.errors import LimitExceededError, ProtocolError
from chiral.interface.values import Standing, ValueRecord
from chiral.kad.messages import Record
from chiral.kad.validation import Validators
from chiral.routing.value_shelf import ValueShelf
from tests.fakes.records import MemoryValueStore

KEY = b"d:key"
NOW = 1_700_000_000.0
TTL_S = 1000.0


class Clock:
    def wall(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class Signed:
    """Values `author:number:life`, the highest number best."""

    def validate(self, key: bytes, value: bytes, now: float) -> Standing:
        author, number, life = value.split(b":")
        if number == b"0":
            raise ProtocolError("zero")
        return Standing(author, now + float(life))

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        return max(range(len(values)), key=lambda index: int(values[index].split(b":")[1]))


def shelf(store: MemoryValueStore, validators: Validators | None = None) -> ValueShelf:
    return ValueShelf(store, {"d": Signed()} if validators is None else validators, Clock(), TTL_S)


async def test_the_shortest_of_three_lives_counts() -> None:
    store = MemoryValueStore()
    for author, life, ttl_s, expected in ((b"a", 50, 0, 50), (b"b", 9999, 60, 60), (b"c", 9999, 0, TTL_S)):
        await shelf(store).keep(Record(KEY, b"%b:1:%d" % (author, life), ttl_s=ttl_s))
        held = {record.author: record for record in await store.get(KEY, NOW)}
        assert held[author].expires_at == NOW + expected


async def test_an_older_one_of_the_same_author_is_refused() -> None:
    store = MemoryValueStore()
    kept = shelf(store)
    await kept.keep(Record(KEY, b"a:2:99"))
    await kept.keep(Record(KEY, b"a:2:99"))
    with pytest.raises(ProtocolError, match="older"):
        await kept.keep(Record(KEY, b"a:1:99"))
    with pytest.raises(ProtocolError, match="zero"):
        await kept.keep(Record(KEY, b"a:0:99"))
    await kept.keep(Record(KEY, b"b:1:99"))
    told = await kept.told(KEY)
    assert told is not None
    assert told.value == b"a:2:99"
    assert set(await kept.values(KEY)) == {b"a:2:99", b"b:1:99"}


async def test_no_room() -> None:
    kept = shelf(MemoryValueStore(per_key=1))
    await kept.keep(Record(KEY, b"a:1:99"))
    with pytest.raises(LimitExceededError):
        await kept.keep(Record(KEY, b"b:1:99"))


async def test_records_of_a_name_space_that_is_off_are_not_told() -> None:
    store = MemoryValueStore()
    await store.put(ValueRecord(KEY, b"a:1:99", NOW, NOW + 99, b"a"))
    assert await shelf(store).told(KEY) is not None
    assert await shelf(store, {}).told(KEY) is None
    assert await shelf(store).told(b"d:other") is None
    with pytest.raises(ProtocolError, match="name space"):
        await shelf(store, {}).keep(Record(KEY, b"a:2:99"))
