"""Tables kept in the store, by the real one as by the one in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chiral.interface.datastore import Datastore
from chiral.kad.saved_peer import SavedPeer, key_of
from chiral.routing.saved_table import TABLE, SavedTable
from chiral.routing.table_settings import TableSettings
from chiral.store.settings import StoreSettings
from chiral.store.store import open_store
from tests.fakes.link import address
from tests.fakes.memory_store import MemoryDatastore
from tests.fakes.stream_node import peer_id
from tests.routing.net import KAD, LAN

NOW = 1_700_000_000.0
HOUR_S = 3600


@pytest.fixture(params=["memory", "lmdb"])
async def datastore(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Datastore]:
    if request.param == "memory":
        yield MemoryDatastore()
        return
    async with open_store(tmp_path, StoreSettings(durable=False)) as store:
        yield store.state


def saved(number: int, seen_at: float = NOW, *, at: int | None = None) -> SavedPeer:
    return SavedPeer(peer_id(number), (address(number if at is None else at),), int(seen_at))


def table(datastore: Datastore, protocol: str = KAD, **settings: float) -> SavedTable:
    return SavedTable(datastore, protocol, TableSettings.model_validate(settings))


async def test_what_is_saved_is_loaded_by_the_next_run_those_seen_last_first(datastore: Datastore) -> None:
    assert await table(datastore).load(NOW) == []
    assert await table(datastore).save([saved(1, NOW - 10), saved(2, NOW - 5), saved(3, NOW - 20)], NOW) == 3
    assert await table(datastore).load(NOW) == [saved(2, NOW - 5), saved(1, NOW - 10), saved(3, NOW - 20)]


async def test_a_table_for_each_protocol(datastore: Datastore) -> None:
    await table(datastore).save([saved(1)], NOW)
    await table(datastore, LAN).save([saved(2)], NOW)
    assert await table(datastore).load(NOW) == [saved(1)]
    assert await table(datastore, LAN).load(NOW) == [saved(2)]


async def test_only_what_changed_is_written(datastore: Datastore) -> None:
    one = table(datastore)
    await one.save([saved(1), saved(2)], NOW)
    assert await one.save([saved(1, NOW + 60), saved(2, NOW + 60)], NOW + 60) == 0
    assert await one.save([saved(1, NOW + 60, at=9), saved(2, NOW + 60)], NOW + 60) == 1
    assert await one.save([saved(1, NOW + 61, at=9), saved(2, NOW + HOUR_S)], NOW + HOUR_S) == 1
    assert await one.save([saved(1, NOW + 62, at=9), saved(2, NOW + HOUR_S)], NOW + HOUR_S, exact=True) == 1
    assert await table(datastore).load(NOW + HOUR_S) == [saved(2, NOW + HOUR_S), saved(1, NOW + 62, at=9)]


async def test_who_left_stays_saved_for_a_while(datastore: Datastore) -> None:
    one = table(datastore, keep_s=100.0)
    await one.save([saved(1), saved(2)], NOW)
    assert await one.save([saved(2, NOW + 90)], NOW + 90, exact=True) == 1
    assert await table(datastore).load(NOW + 90) == [saved(2, NOW + 90), saved(1)]
    await one.save([], NOW + 101)
    assert await table(datastore).load(NOW + 101) == [saved(2, NOW + 90)]


async def test_no_more_are_saved_than_allowed_the_newest_first(datastore: Datastore) -> None:
    one = table(datastore, saved_peers=2)
    await one.save([saved(n, NOW + n) for n in range(5)], NOW + 5)
    assert await table(datastore).load(NOW + 5) == [saved(4, NOW + 4), saved(3, NOW + 3)]
    none = table(datastore, saved_peers=0)
    await none.save([saved(9)], NOW)
    assert await table(datastore).load(NOW + 5) == []


async def test_damaged_records_are_named_passed_over_and_cleared_away(
    datastore: Datastore, caplog: pytest.LogCaptureFixture
) -> None:
    good = saved(1)
    await table(datastore).save([good], NOW)
    damaged = {
        key_of(KAD, peer_id(2)): b"",
        key_of(KAD, peer_id(3)): b"\x09" + good.encode()[1:],
        KAD.encode() + b"\0no peer": good.encode(),
    }
    await datastore.put_many(TABLE, damaged)
    one = table(datastore)
    assert await one.load(NOW) == [good]
    assert len(caplog.messages) == 3
    assert all(line.startswith("saved routing table: ") for line in caplog.messages)
    await one.save([good], NOW)
    assert await datastore.page(TABLE) == [(key_of(KAD, good.peer), good.encode())]


async def test_a_clock_that_went_wrong_does_not_save_for_ever(datastore: Datastore) -> None:
    await table(datastore).save([saved(1, NOW + 1e9)], NOW)
    one = table(datastore, keep_s=100.0)
    assert await one.load(NOW) == [saved(1, NOW)]
    await one.save([], NOW + 101)
    assert await table(datastore).load(NOW + 101) == []


async def test_more_than_a_page(datastore: Datastore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chiral.routing.saved_table._PAGE", 3)
    everyone = {saved(n) for n in range(10)}
    await table(datastore).save(everyone, NOW)
    assert set(await table(datastore).load(NOW)) == everyone
