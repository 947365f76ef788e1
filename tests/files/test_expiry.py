from __future__ import annotations

import logging
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from chiral.block.cid import CID
from chiral.clock import TrioClock
from chiral.errors import ChiralError, NotFoundError, StoreError
from chiral.files.expiry import SWEEP_INTERVAL_S, Expiry
from tests.contracts.catalogued import file_of
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue


class Shelved:
    """A catalogue, what was removed from it, and who refuses to be."""

    def __init__(self) -> None:
        self.clock = TrioClock()
        self.catalogue = MemoryCatalogue(MemoryBlockstore())
        self.removed: list[CID] = []
        self.pinned: set[CID] = set()
        self.expiry = Expiry(self.catalogue, self.remove, self.clock)

    async def put(self, name: str, lifetime_s: float | None) -> CID:
        record, manifest, _ = file_of(name, name.encode())
        expires_at = None if lifetime_s is None else int(self.clock.wall() + lifetime_s)
        await self.catalogue.put(replace(record, expires_at=expires_at), manifest)
        return record.root

    async def remove(self, root: CID) -> None:
        if root in self.pinned:
            raise ChiralError("pinned")
        if not await self.catalogue.remove(root, []):
            raise NotFoundError("gone")
        self.removed.append(root)


@pytest.fixture
def shelved() -> Shelved:
    return Shelved()


async def test_files_are_removed_when_their_time_has_come(shelved: Shelved, autojump_clock: MockClock) -> None:
    late, soon, _ = await shelved.put("late", 1000), await shelved.put("soon", 100), await shelved.put("ever", None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shelved.expiry.run)
        await trio.sleep(99)
        assert shelved.removed == []
        await trio.sleep(SWEEP_INTERVAL_S + 2)
        assert shelved.removed == [soon]
        await trio.sleep(1000)
        assert shelved.removed == [soon, late]
        nursery.cancel_scope.cancel()
    assert await shelved.catalogue.count() == 1


async def test_more_than_one_batch(shelved: Shelved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chiral.files.expiry._AT_ONCE", 2)
    roots = [await shelved.put(f"file {number}", -10) for number in range(7)]
    shelved.pinned = set(roots[:3])
    assert await shelved.expiry.sweep() == 4
    assert set(shelved.removed) == set(roots[3:])


async def test_what_cannot_be_removed_is_tried_again_and_told_of_once(
    shelved: Shelved, caplog: pytest.LogCaptureFixture
) -> None:
    root = await shelved.put("pinned", -10)
    shelved.pinned.add(root)
    with caplog.at_level(logging.WARNING):
        assert [await shelved.expiry.sweep() for _ in range(3)] == [0, 0, 0]
    assert [str(root) in record.getMessage() for record in caplog.records] == [True]
    shelved.pinned.clear()
    assert await shelved.expiry.sweep() == 1


async def test_what_was_given_more_time_meanwhile_stays(shelved: Shelved, monkeypatch: pytest.MonkeyPatch) -> None:
    root = await shelved.put("file", -10)

    async def expired(now: float, limit: int) -> list[CID]:
        await shelved.put("file", 100)
        return [root]

    monkeypatch.setattr(shelved.catalogue, "expired", expired)
    assert await shelved.expiry.sweep() == 0
    assert shelved.removed == []


async def test_one_sweep_tries_each_file_once(shelved: Shelved, monkeypatch: pytest.MonkeyPatch) -> None:
    root = await shelved.put("file", -10)

    async def expired(now: float, limit: int) -> list[CID]:
        await shelved.put("file", -10)
        return [root]

    monkeypatch.setattr(shelved.catalogue, "expired", expired)
    assert await shelved.expiry.sweep() == 1


async def test_a_fault_of_the_store_does_not_end_the_sweeping(
    shelved: Shelved, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = await shelved.put("file", -10)
    calls = 0
    working = shelved.catalogue.expired

    async def expired(now: float, limit: int = 1000) -> list[CID]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise StoreError("no")
        return await working(now, limit)

    monkeypatch.setattr(shelved.catalogue, "expired", expired)
    with trio.move_on_after(SWEEP_INTERVAL_S + 1):
        await shelved.expiry.run()
    assert shelved.removed == [root]
