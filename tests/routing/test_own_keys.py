"""Own keys: when they are due, and that the store holds them over a restart."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from chiral.errors import StoreError
from chiral.interface.datastore import Datastore
from chiral.kad.key import KadKey
from chiral.kad.schedule import Schedule
from chiral.routing.own_keys import BY_HAND, TABLE, OwnKeys
from chiral.store.store import open_store
from tests.fakes.memory_store import MemoryDatastore

SCHEDULE = Schedule(3200.0)
RETRY_S = 10.0
NOW = 1_700_000_000.0
KEYS = [b"key %d" % number for number in range(3000)]


def own_keys(datastore: Datastore | None = None) -> OwnKeys:
    return OwnKeys(datastore or MemoryDatastore(), SCHEDULE, retry_s=RETRY_S)


def turn(key: bytes, announced_at: float = NOW) -> float:
    return SCHEDULE.next_turn(KadKey.of(key).value >> 192, announced_at)


async def announce(own: OwnKeys, stored: dict[bytes, int], now: float = NOW) -> None:
    await own.save(own.announced(stored, now))


async def test_a_key_being_announced_is_not_due() -> None:
    own = own_keys()
    await own.add([b"a"], NOW, under_way=True)
    assert b"a" in own
    assert b"b" not in own
    assert "a" not in own
    assert await own.take(1e12, 10) == []
    assert own.next_due() == math.inf


async def test_due_again_at_its_turn_or_sooner_if_nobody_took_it() -> None:
    own = own_keys()
    await own.add([b"a", b"b"], NOW, under_way=True)
    await announce(own, {b"a": 20, b"b": 0})
    assert (len(own), own.pending) == (2, 1)
    assert own.next_due() == NOW + RETRY_S
    assert await own.take(NOW + RETRY_S - 1, 10) == []
    assert await own.take(NOW + RETRY_S, 10) == [b"b"]
    assert await own.take(turn(b"a") - 1, 10) == []
    assert await own.take(turn(b"a"), 10) == [b"a"]


async def test_scheduled_keys_are_due_at_once_and_only_when_new() -> None:
    own = own_keys()
    await own.add([b"a"], NOW)
    await own.add([b"a", b"b"], NOW + 5)
    assert own.due(NOW + 1) == 1
    assert sorted(await own.take(NOW + 5, 10)) == [b"a", b"b"]
    await announce(own, {b"a": 3, b"b": 3}, NOW + 6)
    await own.add([b"a", b"b"], NOW + 7)
    assert own.due(NOW + 8) == 0


async def test_due_keys_come_in_the_order_of_the_ring() -> None:
    own = own_keys()
    await own.add(KEYS, NOW)
    taken: list[bytes] = []
    while some := await own.take(NOW, 700):
        taken += some
    assert taken == sorted(KEYS, key=lambda key: KadKey.of(key).value)


async def test_few_due_among_many_are_found() -> None:
    own = own_keys()
    await own.add(KEYS, NOW, under_way=True)
    await announce(own, dict.fromkeys(KEYS, 20))
    due = [key for key in KEYS if turn(key) <= NOW + 200]
    assert 0 < len(due) < 400
    assert sorted(await own.take(NOW + 200, 10_000)) == sorted(due)


async def test_removed_keys_are_never_due() -> None:
    datastore = MemoryDatastore()
    own = own_keys(datastore)
    await own.add([b"a"], NOW, under_way=True, by_hand=True)
    await own.remove([b"a", b"unknown"])
    await announce(own, {b"a": 5})
    assert b"a" not in own
    assert await own.take(1e12, 10) == []
    assert await datastore.page(TABLE) == await datastore.page(BY_HAND) == []


async def test_hastening_touches_only_what_few_have_taken() -> None:
    own = own_keys()
    keys = [b"none", b"few", b"many", b"now"]
    await own.add(keys, NOW, under_way=True)
    await announce(own, {b"none": 0, b"few": 2, b"many": 10})
    own.hasten(NOW + 1, 1)
    assert await own.take(NOW + 1, 10) == [b"none"]
    own.hasten(NOW + 2, 5)
    assert await own.take(NOW + 2, 10) == [b"few"]
    own.hasten(NOW + 3, 100)
    assert await own.take(NOW + 3, 10) == [b"many"]


async def test_hastening_around_a_point_touches_only_its_neighbours() -> None:
    own = own_keys()
    await own.add(KEYS[:100], NOW, under_way=True)
    await announce(own, dict.fromkeys(KEYS[:100], 20))
    around = KadKey.of(KEYS[3])
    own.hasten_around(NOW + 1, around, 3)
    near = {key for key in KEYS[:100] if around.common_prefix_length(KadKey.of(key)) >= 3}
    assert set(await own.take(NOW + 1, 100)) == near
    own.hasten_around(NOW + 1, around, 0)
    assert len(await own.take(NOW + 1, 100)) == 100 - len(near)


async def test_only_what_is_named_or_by_hand_is_kept() -> None:
    own = own_keys()
    await own.load()
    await own.add(KEYS[:10], NOW)
    await own.add([b"by hand"], NOW, by_hand=True)
    await own.begin_naming()
    await own.add(KEYS[5:15], NOW)
    assert await own.keep_named() == 5
    assert {key for key in KEYS[:20] if key in own} == set(KEYS[5:15])
    assert b"by hand" in own
    await own.begin_naming()
    assert await own.keep_named() == 10
    assert len(own) == 1


async def test_over_a_restart_each_key_keeps_its_turn(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        own = own_keys(store.state)
        await own.load()
        await own.add(KEYS[:2000], NOW, under_way=True)
        await own.add([b"by hand"], NOW, under_way=True, by_hand=True)
        await announce(own, {**dict.fromkeys(KEYS[:1500], 20), b"by hand": 7})
        await announce(own, dict.fromkeys(KEYS[1500:1600], 0))
        await own.remove(KEYS[:100])
        await own.add(KEYS[2000:2500], NOW)
    async with open_store(tmp_path) as store:
        own = own_keys(store.state)
        assert len(own) == 0
        await own.load()
        assert len(own) == 2401
        assert own.pending == 1000
        # At once what was never announced, what nobody took, and what was being announced when the node ended.
        assert sorted(await own.take(NOW + 60, 10_000)) == sorted(KEYS[1500:2500])
        due = [key for key in [*KEYS[100:1500], b"by hand"] if turn(key) <= NOW + 1000]
        assert sorted(await own.take(NOW + 1000, 10_000)) == sorted(due)
        await own.begin_naming()
        assert await own.keep_named() == 2400
        assert [key for key in [*KEYS, b"by hand"] if key in own] == [b"by hand"]


async def test_rows_that_are_none_are_passed_over() -> None:
    datastore = MemoryDatastore()
    await datastore.put_many(TABLE, {b"\x01" * 32: b"short"})
    own = own_keys(datastore)
    await own.load()
    assert len(own) == 0


async def test_faults_of_the_store_are_told_and_lose_nothing_but_the_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    datastore = MemoryDatastore()
    own = own_keys(datastore)

    async def refuse(*_: object, **__: object) -> None:
        raise StoreError("disk gone")

    with monkeypatch.context() as broken:
        broken.setattr(datastore, "put_many", refuse)
        await own.add([b"a"], NOW)
        assert b"a" in own
        assert "disk gone" in caplog.text
    await own.add([b"b"], NOW)
    with monkeypatch.context() as broken:
        broken.setattr(datastore, "page", refuse)
        with pytest.raises(StoreError):
            await own.take(NOW, 10)
    # What could not be read is due again; what was never written is forgotten then.
    assert await own.take(NOW + RETRY_S, 10) == [b"b"]
    assert b"a" not in own
