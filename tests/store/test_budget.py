from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chiral.store.budget import Budget


async def test_weights_wait_for_room_in_their_order() -> None:
    budget = Budget(100, 10)
    let_in: list[int] = []

    async def take(weight: int) -> None:
        await budget.acquire(weight)
        let_in.append(weight)

    await budget.acquire(60)
    async with trio.open_nursery() as nursery:
        for weight in (50, 60, 1):
            nursery.start_soon(take, weight)
            await wait_all_tasks_blocked()
        assert let_in == [], "a small one does not overtake"
        budget.release(60)
        await wait_all_tasks_blocked()
        assert let_in == [50]
        budget.release(50)
        await wait_all_tasks_blocked()
        assert sorted(let_in) == [1, 50, 60]


async def test_holders_are_bounded_too() -> None:
    budget = Budget(100, 2)
    await budget.acquire(0)
    await budget.acquire(0)
    with trio.move_on_after(0) as scope:
        await budget.acquire(0)
    assert scope.cancelled_caught
    budget.release(0)
    with trio.fail_after(1):
        await budget.acquire(0)


async def test_a_weight_over_the_capacity_goes_alone() -> None:
    budget = Budget(100, 10)
    await budget.acquire(1000)
    with trio.move_on_after(0) as scope:
        await budget.acquire(1)
    assert scope.cancelled_caught
    budget.release(1000)
    await budget.acquire(100)


async def test_cancelled_before_it_fits_takes_nothing() -> None:
    budget = Budget(10, 10)
    await budget.acquire(10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(budget.acquire, 5)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    budget.release(10)
    with trio.fail_after(1):
        await budget.acquire(10)


async def test_cancelled_in_front_lets_the_next_in() -> None:
    budget = Budget(10, 10)
    await budget.acquire(5)
    admitted = trio.Event()

    async def small() -> None:
        await budget.acquire(5)
        admitted.set()

    async with trio.open_nursery() as nursery:
        large = trio.CancelScope()

        async def too_large() -> None:
            with large:
                await budget.acquire(10)

        nursery.start_soon(too_large)
        await wait_all_tasks_blocked()
        nursery.start_soon(small)
        await wait_all_tasks_blocked()
        assert not admitted.is_set()
        large.cancel()
        with trio.fail_after(1):
            await admitted.wait()


async def test_cancelled_as_it_is_let_in_gives_back() -> None:
    budget = Budget(10, 10)
    await budget.acquire(10)
    scope = trio.CancelScope()

    async def late() -> None:
        with scope:
            await budget.acquire(10)
            pytest.fail("cancelled, yet it went on")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(late)
        await wait_all_tasks_blocked()
        scope.cancel()  # delivered to the sleeper first: then the room it would have had is given away again
        budget.release(10)
    with trio.fail_after(1):
        await budget.acquire(10)


async def test_cancelled_from_the_start() -> None:
    budget = Budget(10, 10)
    with trio.CancelScope() as scope:
        scope.cancel()
        await budget.acquire(1)
    assert scope.cancelled_caught
    await budget.acquire(10)
