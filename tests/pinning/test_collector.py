"""Collections are begun when asked for and when due, one at a time, and can be watched and stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chiral.errors import CollectionBusyError, IntegrityError, StoreError
from chiral.pinning.collector import Collector
from chiral.pinning.progress import CollectionProgress
from tests.pinning.dags import tree
from tests.pinning.rig import Rig, numbered


@asynccontextmanager
async def running(collector: Collector) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collector.run)
        yield
        nursery.cancel_scope.cancel()


async def watched(collector: Collector, *, dry_run: bool = False) -> list[CollectionProgress]:
    async with aclosing(collector.collect(dry_run=dry_run)) as collecting:
        return [progress async for progress in collecting]


async def test_one_that_is_asked_for() -> None:
    rig = Rig()
    await rig.put(*numbered(300))
    collector = rig.collector()
    async with running(collector):
        told = await watched(collector)
        assert told[-1].phase == "done"
        assert told[-1].freed_blocks == 300
        assert collector.status().last == told[-1]
        assert collector.status().running is None
        again = await watched(collector)
        assert again[-1].freed_blocks == 0


async def test_a_dry_run_is_no_last_collection() -> None:
    rig = Rig()
    await rig.put(*numbered(3))
    collector = rig.collector()
    async with running(collector):
        assert (await watched(collector, dry_run=True))[-1].freed_blocks == 3
        assert collector.status().last is None


async def test_one_at_a_time(autojump_clock: MockClock) -> None:
    collector = Rig().collector()
    collector.start()
    with pytest.raises(CollectionBusyError):
        collector.start()
    async with running(collector):
        await trio.sleep(1)
        collector.start()


async def test_it_can_be_stopped_and_goes_on_with_the_next() -> None:
    rig = Rig()
    await rig.put(*numbered(3000))
    collector = rig.collector()
    assert not collector.stop()

    stopped: list[bool] = []

    async def watch_and_stop() -> None:
        async with aclosing(collector.collect()) as collecting:
            async for progress in collecting:
                if progress.freed_blocks and not stopped:
                    stopped.append(collector.stop())

    async with running(collector):
        with pytest.raises(StoreError, match="stopped"):
            await watch_and_stop()
        assert stopped == [True]
        assert 0 < (await rig.store.stats()).blocks < 3000
        assert (await watched(collector))[-1].resumed
    assert (await rig.store.stats()).blocks == 0


async def test_leaving_does_not_stop_it(autojump_clock: MockClock) -> None:
    rig = Rig()
    await rig.put(*numbered(3000))
    collector = rig.collector()
    async with running(collector):
        async with aclosing(collector.collect()) as collecting:
            async for _ in collecting:
                break
        await trio.sleep(1)
        assert (await rig.store.stats()).blocks == 0


async def test_what_ends_it_early_is_told_and_the_next_is_tried() -> None:
    rig, dag = Rig(), tree("pinned")
    await rig.put(dag[0], *numbered(3))
    await rig.pin(dag[0].cid)
    collector = rig.collector()
    async with running(collector):
        with pytest.raises(IntegrityError):
            await watched(collector)
        await rig.put(*dag)
        assert (await watched(collector))[-1].freed_blocks == 3


async def test_one_cut_short_by_a_restart_goes_on_by_itself(autojump_clock: MockClock) -> None:
    rig = Rig()
    await rig.put(*numbered(30))
    await rig.progress.save(CollectionProgress("sweeping", False, 1.0, freed_blocks=7))
    collector = rig.collector()
    async with running(collector):
        await trio.sleep(1)
        last = collector.status().last
    assert last is not None
    assert (last.resumed, last.freed_blocks) == (True, 37)


async def test_by_level(autojump_clock: MockClock) -> None:
    rig = Rig()
    kept = numbered(10, "kept")
    await rig.hold_file(*kept)
    size = (await rig.store.stats()).size_bytes
    collector = rig.collector(high_water_bytes=size + 1, check_s=10)
    async with running(collector):
        await trio.sleep(100)
        assert collector.status().last is None
        await rig.put(*numbered(5))
        await trio.sleep(11)
        assert await rig.none_here(numbered(5))
    assert await rig.all_here(kept)


async def test_by_time(autojump_clock: MockClock) -> None:
    rig = Rig()
    collector = rig.collector(interval_s=100, check_s=10)
    async with running(collector):
        await rig.put(*numbered(5))
        await trio.sleep(95)
        assert await rig.all_here(numbered(5))
        await trio.sleep(20)
        assert await rig.none_here(numbered(5))


async def test_the_end_of_the_node_ends_the_watching() -> None:
    rig = Rig()
    await rig.put(*numbered(30))
    collector = rig.collector()
    faults: list[str] = []

    async def watch() -> None:
        try:
            await watched(collector)
        except StoreError as error:
            faults.append(error.message)

    async with trio.open_nursery() as nursery, trio.open_nursery() as node:
        node.start_soon(collector.run)
        await wait_all_tasks_blocked()
        nursery.start_soon(watch)
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        node.cancel_scope.cancel()
    assert faults == ["the collection was stopped"]
