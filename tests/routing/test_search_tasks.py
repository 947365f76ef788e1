"""Searches as streams: who runs them, what ends them, and how they fail."""

from __future__ import annotations

from contextlib import aclosing

import pytest
import trio
import trio.lowlevel
import trio.testing
from trio.abc import Clock

from chiral.errors import LocalError, StoreError
from chiral.routing.search_tasks import SearchTasks

Send = trio.MemorySendChannel[int]


async def count_up(send: Send) -> None:
    for number in range(3):
        await trio.sleep(1)
        await send.send(number)


async def test_findings_come_one_by_one(autojump_clock: Clock) -> None:
    tasks = SearchTasks()
    came: list[tuple[int, float]] = []
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        with tasks.hosted(nursery):
            async with aclosing(tasks.stream(count_up, 5)) as found:
                async for number in found:
                    came.append((number, trio.current_time() - start))
    assert came == [(0, 1), (1, 2), (2, 3)]


async def test_leaving_in_the_middle_cancels_the_search(autojump_clock: Clock) -> None:
    tasks = SearchTasks()
    async with trio.open_nursery() as nursery:
        with tasks.hosted(nursery):
            async with aclosing(tasks.stream(count_up, 5)) as found:
                assert await anext(found) == 0
            await trio.testing.wait_all_tasks_blocked()
            assert not nursery.child_tasks


async def test_a_local_fault_is_raised_after_what_was_found(autojump_clock: Clock) -> None:
    async def fails(send: Send) -> None:
        await send.send(7)
        raise StoreError("the disk is gone")

    tasks = SearchTasks()
    async with trio.open_nursery() as nursery:
        with tasks.hosted(nursery):
            async with aclosing(tasks.stream(fails, 5)) as found:
                assert await anext(found) == 7
                with pytest.raises(StoreError, match="the disk is gone"):
                    await anext(found)
            assert not nursery.cancel_scope.cancel_called


async def test_none_wanted_none_sought() -> None:
    async def unwanted(send: Send) -> None:
        raise AssertionError("nothing was to be sought")

    tasks = SearchTasks()
    async with trio.open_nursery() as nursery:
        with tasks.hosted(nursery):
            assert [number async for number in tasks.stream(unwanted, 0)] == []


async def test_without_a_host() -> None:
    tasks = SearchTasks()
    with pytest.raises(LocalError, match="not running"):
        await anext(tasks.stream(count_up, 1))
    async with trio.open_nursery() as nursery:
        with tasks.hosted(nursery):
            pass
        with pytest.raises(LocalError, match="not running"):
            await anext(tasks.stream(count_up, 1))
