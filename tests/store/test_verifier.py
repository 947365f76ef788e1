"""Verification: bit rot is found, named, taken out of service and mended; at a rate, over restarts, when due."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.clock import TrioClock
from chiral.errors import NoProvidersError, StoreError
from chiral.store import verifier as verifier_module
from chiral.store.block_check import BlockCheck
from chiral.store.block_table import find_block
from chiral.store.environment import STORE_DIRECTORY
from chiral.store.quarantine import Quarantine
from chiral.store.room import DATA_FILE
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from chiral.store.verifier import Verifier
from chiral.store.verify_run import VerifyRun
from tests.fakes.memory_store import MemoryDatastore

SETTINGS = StoreSettings(durable=False, verify_interval_days=0)
FAST = 1 << 40


def verifier_of(
    store: Store, fetch: Callable[[CID], Awaitable[bytes]] | None = None, settings: StoreSettings = SETTINGS
) -> Verifier:
    environment = store.environment
    quarantine = Quarantine(environment)
    return Verifier(BlockCheck(environment), quarantine, store.blocks, store.state, settings, TrioClock(), fetch)


async def ended(verifier: Verifier) -> VerifyRun:
    """The status once no run is under way."""
    run = verifier.status()
    while run.state == "running":
        run = await verifier.changed()
    return run


async def verified(verifier: Verifier, **how: Any) -> VerifyRun:
    """What came of one run."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(verifier.run)
        await trio.testing.wait_all_tasks_blocked()
        verifier.start(**{"rate_bytes": FAST, **how})
        run = await ended(verifier)
        nursery.cancel_scope.cancel()
    return run


async def resting(store: Store, block: Block) -> bytes:
    """The bytes that stand in the file for `block`."""
    found = await store.environment.read(lambda txn: find_block(txn, store.environment.tables, block.cid.multihash))
    assert found is not None
    return found.value


def rot(data_directory: Path, content: bytes, at: int) -> None:
    """Flip a bit of `content` wherever it stands in the closed store's file."""
    file = data_directory / STORE_DIRECTORY / DATA_FILE
    data = bytearray(file.read_bytes())
    broken = bytearray(content)
    broken[at] ^= 0x10
    assert content in data
    file.write_bytes(data.replace(content, bytes(broken)))


def sample() -> list[Block]:
    """Blocks of each kind: in a leaf with others, in pages of their own, compressed."""
    rng = random.Random(11)
    small = [Block.of(rng.randbytes(150), DAG_PB) for _ in range(30)]
    large = [Block.of(rng.randbytes(70_000)) for _ in range(6)]
    packed = [Block.of(b"line %d\n" % number * 3000) for number in range(6)]
    return [*small, *large, *packed]


@pytest.mark.parametrize(("index", "at"), [(3, 70), (32, 0), (32, 40_000), (33, -1), (38, 12), (39, -3)])
async def test_bit_rot_in_one_page_is_found_and_named(tmp_path: Path, index: int, at: int) -> None:
    blocks = sample()
    async with open_store(tmp_path, SETTINGS) as store:
        await store.blocks.put_many(blocks)
        content = await resting(store, blocks[index])
    rot(tmp_path, content, at)
    async with open_store(tmp_path, SETTINGS) as store:
        run = await verified(verifier_of(store), repair=False)
        assert (run.state, run.damaged, run.names) == ("done", 1, (str(blocks[index].cid),))
        assert run.blocks == len(blocks)
        assert await store.blocks.get(blocks[index].cid) is None
        rest = [block for block in blocks if block is not blocks[index]]
        assert await store.blocks.get_many([block.cid for block in rest]) == [block.data for block in rest]
        (entry,) = await Quarantine(store.environment).page()
        assert entry.cid == blocks[index].cid
        assert entry.size_bytes == len(content)
        assert not entry.replaced
        assert (await store.blocks.stats()).blocks == len(blocks) - 1
        again = await verified(verifier_of(store), repair=False)
        assert (again.damaged, again.blocks) == (0, len(blocks) - 1)


async def damaged_store(store: Store, count: int = 1) -> list[CID]:
    """Put sound blocks and `count` that are not what their CIDs name; returns the names of those."""
    await store.blocks.put_many(sample())
    broken = [Block(CID.of(b"right %d" % number), b"wrong %d" % number) for number in range(count)]
    await store.blocks.put_many(broken)
    return [block.cid for block in broken]


async def test_what_is_damaged_is_fetched_anew(store: Store) -> None:
    names = await damaged_store(store, 20)
    right = {CID.of(b"right %d" % number): b"right %d" % number for number in range(20)}

    async def fetch(cid: CID) -> bytes:
        return right[cid]

    run = await verified(verifier_of(store, fetch), repair=True)
    assert (run.damaged, run.repaired) == (20, 20)
    assert await store.blocks.get_many(names) == list(right.values())
    assert await Quarantine(store.environment).count() == 0


async def test_nobody_has_it_or_somebody_lies(store: Store) -> None:
    names = await damaged_store(store, 2)

    async def fetch(cid: CID) -> bytes:
        if cid == names[0]:
            raise NoProvidersError("nobody")
        return b"a lie"

    run = await verified(verifier_of(store, fetch), repair=True)
    assert (run.state, run.damaged, run.repaired) == ("done", 2, 0)
    assert await store.blocks.has_many(names) == [False, False]
    assert {entry.cid for entry in await Quarantine(store.environment).page()} == set(names)


async def test_a_later_run_mends_what_an_earlier_one_found(store: Store) -> None:
    names = await damaged_store(store, 2)
    await verified(verifier_of(store), repair=False)
    await store.blocks.put_many([Block.of(b"right 0")])  # added again by somebody
    quarantine = Quarantine(store.environment)
    assert {entry.cid: entry.replaced for entry in await quarantine.page()} == {names[0]: True, names[1]: False}

    async def fetch(cid: CID) -> bytes:
        assert cid == names[1]
        return b"right 1"

    run = await verified(verifier_of(store, fetch), repair=True)
    assert (run.damaged, run.repaired) == (0, 2)
    assert await quarantine.count() == 0


async def test_a_block_put_right_meanwhile_stays(store: Store) -> None:
    (name,) = await damaged_store(store)
    check = BlockCheck(store.environment)
    done = await check.check(b"", FAST, 1 << 20)
    assert [damage.cid for damage in done.damaged] == [name]
    await store.blocks.delete_many([name])
    await store.blocks.put_many([Block(name, b"right 0")])
    assert await check.quarantine(done.damaged, 1.0) == []
    assert await store.blocks.get(name) == b"right 0"


async def test_the_quarantine_forgets_on_demand_and_in_pages(store: Store) -> None:
    names = await damaged_store(store, 5)
    await verified(verifier_of(store), repair=False)
    quarantine = Quarantine(store.environment)
    first = await quarantine.page(limit=3)
    rest = await quarantine.page(first[-1].cid.multihash, limit=3)
    assert {entry.cid for entry in [*first, *rest]} == set(names)
    assert all("not what its CID names" in entry.reason for entry in first)
    assert await quarantine.forget([*names, CID.of(b"other")]) == 5
    assert await quarantine.page() == []


async def test_a_hash_that_cannot_be_verified_is_counted_and_left(store: Store) -> None:
    strange = CID(1, 0x55, b"\x11\x14" + bytes(20))
    await store.blocks.put_many([Block(strange, b"sha1 once was")])
    run = await verified(verifier_of(store), repair=False)
    assert (run.damaged, run.unverifiable) == (0, 1)
    assert await store.blocks.get(strange) == b"sha1 once was"


async def test_the_rate_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.05  # threads are at work in real time
    blocks = [Block.of(random.Random(number).randbytes(50_000)) for number in range(20)]
    await store.blocks.put_many(blocks)
    monkeypatch.setattr(verifier_module, "SLICE_BYTES", 50_000)
    began = trio.current_time()
    run = await verified(verifier_of(store), rate_bytes=10_000, repair=False)
    assert run.blocks == 20
    assert trio.current_time() - began == pytest.approx(95, rel=0.02)  # the first slice is at once


async def test_a_restart_goes_on_where_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.05  # threads are at work in real time
    names = await damaged_store(store, 5)
    monkeypatch.setattr(verifier_module, "SLICE_BLOCKS", 1)
    first = verifier_of(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.run)
        await trio.testing.wait_all_tasks_blocked()
        first.start(rate_bytes=1000, repair=False)
        while first.status().blocks < 20:
            await first.changed()
        nursery.cancel_scope.cancel()
    second = verifier_of(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(second.run)
        while (run := await second.changed()).state != "running":
            pass
        assert run.resumed
        assert 0 < run.blocks <= 20
        second.start(rate_bytes=FAST, repair=False)
        run = await ended(second)
        nursery.cancel_scope.cancel()
    assert run.blocks + run.damaged >= len(sample()) + 5
    assert set(run.names) == {str(name) for name in names}


async def test_stopped_and_started_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.05  # threads are at work in real time
    await damaged_store(store, 0)
    monkeypatch.setattr(verifier_module, "SLICE_BLOCKS", 1)
    verifier = verifier_of(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(verifier.run)
        await trio.testing.wait_all_tasks_blocked()
        verifier.start(rate_bytes=1000)
        while verifier.status().blocks < 5:
            await verifier.changed()
        verifier.stop()
        stopped = await ended(verifier)
        assert stopped.state == "stopped"
        assert 5 <= stopped.blocks < len(sample())
        verifier.start(rate_bytes=FAST)
        done = await ended(verifier)
        assert (done.state, done.resumed, done.blocks) == ("done", True, len(sample()))
        verifier.start(rate_bytes=FAST)
        fresh = await ended(verifier)
        assert (fresh.resumed, fresh.blocks) == (False, len(sample()))
        nursery.cancel_scope.cancel()


async def test_it_runs_when_due(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05  # threads are at work in real time
    await store.blocks.put_many(sample())
    daily = StoreSettings(durable=False, verify_interval_days=1)
    began = trio.current_time()
    verifier = verifier_of(store, settings=daily)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(verifier.run)
        for _ in range(3):
            while (await verifier.changed()).state != "running":
                pass
            assert (await ended(verifier)).blocks == len(sample())
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began == pytest.approx(3 * 86_400, rel=0.001)


async def test_restarts_do_not_put_off_the_first_one(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05  # threads are at work in real time
    await store.blocks.put_many(sample())
    daily = StoreSettings(durable=False, verify_interval_days=1)
    state = MemoryDatastore()  # waits for no thread, in which the virtual clock would run ahead
    seen: list[str] = []
    for _ in range(3):
        environment = store.environment
        quarantine = Quarantine(environment)
        verifier = Verifier(BlockCheck(environment), quarantine, store.blocks, state, daily, TrioClock())
        with trio.move_on_after(0.4 * 86_400):
            await verifier.run()
        seen.append(verifier.status().state)
    assert seen[:2] == ["never", "never"]
    assert seen[2] != "never"


async def test_a_fault_of_the_store_ends_the_run_but_not_the_task(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.blocks.put_many(sample())
    verifier = verifier_of(store)
    check = BlockCheck.check

    async def fail(*_: object) -> None:
        raise StoreError("the disk is gone")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(verifier.run)
        await trio.testing.wait_all_tasks_blocked()
        monkeypatch.setattr(BlockCheck, "check", fail)
        verifier.start()
        failed = await ended(verifier)
        assert (failed.state, failed.error) == ("failed", "the disk is gone")
        monkeypatch.setattr(BlockCheck, "check", check)
        verifier.start(rate_bytes=FAST)
        assert (await ended(verifier)).state == "done"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "held", [b"", b"{}x", b'{"names": 3}', b'{"names": [], "odd": 1}', b'{"names":[],"position":"zz"}']
)
async def test_a_record_that_cannot_be_read_is_begun_anew(store: Store, held: bytes) -> None:
    await store.state.put_many("verify", {b"run": held})
    assert (await verified(verifier_of(store))).state == "done"


async def fill(store: Store) -> None:
    for number in range(10_000):
        await store.blocks.put_many([Block.of(random.Random(number).randbytes(5000))])


async def test_a_full_store_can_still_be_quarantined(tmp_path: Path) -> None:
    settings = StoreSettings(durable=False, compression="none", map_size_bytes=4 << 20)
    async with open_store(tmp_path, settings) as store:
        names = await damaged_store(store, 3)
        with pytest.raises(StoreError):
            await fill(store)
        run = await verified(verifier_of(store), repair=False)
        assert (run.state, run.damaged) == ("done", 3)
        assert set(run.names) == {str(name) for name in names}
