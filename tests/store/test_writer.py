from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import lmdb
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chiral.errors import StoreError, StoreFullError
from chiral.store.environment import Environment
from chiral.store.settings import StoreSettings


class Gate:
    """A job that holds the writer up until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self, _: lmdb.Transaction) -> None:
        self.reached.set()
        self.open.wait(10)


@pytest.fixture
async def environment(tmp_path: Path) -> AsyncIterator[Environment]:
    opened = Environment.open(tmp_path, StoreSettings(durable=False, queue_bytes=1 << 20, batch_bytes=1 << 18))
    yield opened
    opened.close()


async def ids_of(environment: Environment, count: int, failing: frozenset[int] = frozenset()) -> list[int | Exception]:
    """The transaction each of `count` jobs ran in, all queued while the writer is held up; those `failing` raise."""
    gate = Gate()
    outcomes: list[int | Exception] = [0] * count

    async def run(number: int) -> None:
        def apply(txn: lmdb.Transaction) -> int:
            if number in failing:
                raise ValueError(number)
            txn.put(b"%d" % number, b"", db=environment.tables.state)
            return txn.id()

        try:
            outcomes[number] = await environment.write(apply)
        except ValueError as error:
            outcomes[number] = error

    async with trio.open_nursery() as nursery:
        nursery.start_soon(environment.write, gate)
        await trio.to_thread.run_sync(gate.reached.wait, 10)
        for number in range(count):
            nursery.start_soon(run, number)
        await wait_all_tasks_blocked()
        gate.open.set()
    return outcomes


async def test_jobs_that_gathered_share_a_transaction(environment: Environment) -> None:
    assert len(set(await ids_of(environment, 50))) == 1


async def test_a_failing_job_fails_alone(environment: Environment) -> None:
    outcomes = await ids_of(environment, 6, frozenset({2, 4}))
    assert [isinstance(outcome, ValueError) for outcome in outcomes] == [False, False, True, False, True, False]
    held = await environment.read(
        lambda txn: [txn.get(b"%d" % number, db=environment.tables.state) is not None for number in range(6)]
    )
    assert held == [True, True, False, True, False, True]


async def test_nothing_of_a_failed_job_stays(environment: Environment) -> None:
    def half_done(txn: lmdb.Transaction) -> None:
        txn.put(b"half", b"done", db=environment.tables.state)
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        await environment.write(half_done)
    assert await environment.read(lambda txn: txn.get(b"half", db=environment.tables.state)) is None


async def test_lmdb_errors_are_the_stores(environment: Environment) -> None:
    with pytest.raises(StoreError, match="BAD_VALSIZE"):
        await environment.write(lambda txn: txn.put(bytes(600), b"", db=environment.tables.state))
    with pytest.raises(StoreError, match="BAD_VALSIZE"):
        await environment.read(lambda txn: txn.get(b"", db=environment.tables.state))


async def test_large_jobs_are_spread_over_transactions(environment: Environment) -> None:
    gate = Gate()
    ids: set[int] = set()

    async def run(number: int) -> None:
        def apply(txn: lmdb.Transaction) -> int:
            txn.put(b"%d" % number, b"", db=environment.tables.state)
            return txn.id()

        ids.add(await environment.write(apply, size_bytes=1 << 18))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(environment.write, gate)
        await trio.to_thread.run_sync(gate.reached.wait, 10)
        for number in range(4):
            nursery.start_soon(run, number)
        await wait_all_tasks_blocked()
        gate.open.set()
    assert len(ids) == 4


async def test_the_queue_is_bounded_in_bytes(environment: Environment) -> None:
    gate = Gate()
    waiting: list[int] = []

    async def run(number: int) -> None:
        await environment.write(lambda txn: None, size_bytes=1 << 19)
        waiting.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(environment.write, gate)
        await trio.to_thread.run_sync(gate.reached.wait, 10)
        for number in range(10):
            nursery.start_soon(run, number)
        await wait_all_tasks_blocked()
        assert environment._writer._queue.qsize() == 2
        gate.open.set()
    assert sorted(waiting) == list(range(10))


async def test_cancelled_while_waiting_for_a_place_does_nothing(environment: Environment) -> None:
    gate, ran = Gate(), []

    async with trio.open_nursery() as nursery:
        nursery.start_soon(environment.write, gate)
        await trio.to_thread.run_sync(gate.reached.wait, 10)

        async def fill() -> None:
            await environment.write(lambda txn: ran.append("filler"), size_bytes=1 << 20)

        scope = trio.CancelScope()

        async def give_up() -> None:
            with scope:
                await environment.write(lambda txn: ran.append("given up"), size_bytes=1)

        nursery.start_soon(fill)
        await wait_all_tasks_blocked()
        nursery.start_soon(give_up)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        assert scope.cancelled_caught
        gate.open.set()
    await environment.write(lambda txn: None)
    assert ran == ["filler"]


async def test_cancelled_once_queued_is_done_as_a_whole(environment: Environment) -> None:
    gate = Gate()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(environment.write, gate)
        await trio.to_thread.run_sync(gate.reached.wait, 10)
        scope = trio.CancelScope()

        async def run() -> None:
            with scope:
                await environment.write(lambda txn: txn.put(b"key", b"", db=environment.tables.state))

        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        assert scope.cancelled_caught
        gate.open.set()
    await environment.write(lambda txn: None)  # after it, in the queue's order
    assert await environment.read(lambda txn: txn.get(b"key", db=environment.tables.state)) == b""


async def test_shielded_it_waits_for_the_job(environment: Environment) -> None:
    gate, ended = Gate(), trio.Event()
    scope = trio.CancelScope()

    async def run() -> None:
        with scope:
            await environment.write(lambda txn: None, shield=True)
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(environment.write, gate)
        await trio.to_thread.run_sync(gate.reached.wait, 10)
        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        assert not ended.is_set()
        gate.open.set()
        with trio.fail_after(5):
            await ended.wait()


def test_a_run_that_ended_meanwhile_loses_nothing(tmp_path: Path) -> None:
    gate = Gate()
    environment = Environment.open(tmp_path, StoreSettings(durable=False))

    async def leave() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(environment.write, gate)
            await trio.to_thread.run_sync(gate.reached.wait, 10)
            nursery.start_soon(environment.write, lambda txn: txn.put(b"key", b"", db=environment.tables.state))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    trio.run(leave)
    gate.open.set()
    environment.close()

    async def look() -> bytes | None:
        again = Environment.open(tmp_path, StoreSettings(durable=False))
        try:
            return await again.read(lambda txn: txn.get(b"key", db=again.tables.state))
        finally:
            again.close()

    assert trio.run(look) == b""


async def test_a_full_map_is_an_error_that_leaves_the_rest(tmp_path: Path) -> None:
    environment = Environment.open(tmp_path / "small", StoreSettings(durable=False, map_size_bytes=2 << 20))
    gate = Gate()
    outcomes: dict[int, str] = {}

    async def run(number: int, size: int) -> None:
        try:
            await environment.write(
                lambda txn: txn.put(b"%d" % number, bytes(size), db=environment.tables.state), size_bytes=size
            )
            outcomes[number] = "stored"
        except StoreFullError as error:
            outcomes[number] = error.hint.split()[1]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(environment.write, gate)
        await trio.to_thread.run_sync(gate.reached.wait, 10)
        for number, size in enumerate((1000, 4 << 20, 1000)):
            nursery.start_soon(run, number, size)
        await wait_all_tasks_blocked()
        gate.open.set()
    assert outcomes == {0: "stored", 1: "store.map_size_bytes", 2: "stored"}
    environment.close()


async def test_pages_freed_just_before_are_waited_for(environment: Environment) -> None:
    ids: list[int] = []

    def apply(txn: lmdb.Transaction) -> str:
        ids.append(txn.id())
        if len(ids) == 1:
            raise lmdb.MapFullError("no page that may be used yet")
        return "fits"

    assert await environment.write(apply) == "fits"
    assert ids[1] == ids[0] + 1, "a transaction was committed in between"


async def test_a_map_that_stays_full_is_not_tried_for_ever(environment: Environment) -> None:
    tries: list[int] = []

    def apply(txn: lmdb.Transaction) -> None:
        tries.append(txn.id())
        raise lmdb.MapFullError("never")

    with pytest.raises(StoreFullError):
        await environment.write(apply)
    assert len(tries) == 2
