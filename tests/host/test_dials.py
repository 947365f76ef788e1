"""Dials under way: shared by those who wait, harmed by none of them."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chiral.errors import LimitExceededError, PeerUnreachableError
from chiral.host.dials import Dials
from chiral.interface.peer import PeerId

PEER, OTHER = PeerId(b"\x00\x01\x01"), PeerId(b"\x00\x01\x02")


class Line:
    """Dials that end when the test says, and what was entered."""

    def __init__(self) -> None:
        self.go = trio.Event()
        self.dialled: list[PeerId] = []
        self.entered: list[Any] = []
        self.fault: Exception | None = None
        self.refusal: Exception | None = None

    async def dial(self, peer: PeerId) -> Any:
        self.dialled.append(peer)
        await self.go.wait()
        if self.fault is not None:
            raise self.fault
        return f"connection {len(self.dialled)}"

    async def enter(self, connection: Any) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.entered.append(connection)


async def waiters(dials: Dials, count: int, nursery: trio.Nursery) -> list[Any]:
    outcomes: list[Any] = []

    async def wait() -> None:
        try:
            outcomes.append(await dials.connection_to(PEER))
        except (PeerUnreachableError, LimitExceededError) as error:
            outcomes.append(error)

    for _ in range(count):
        nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    return outcomes


async def test_all_who_want_a_peer_get_the_same_dial() -> None:
    line = Line()
    async with trio.open_nursery() as nursery:
        dials = Dials(line.dial, line.enter, nursery)
        outcomes = await waiters(dials, 5, nursery)
        line.go.set()
    assert line.dialled == [PEER]
    assert outcomes == ["connection 1"] * 5
    assert line.entered == ["connection 1"]


async def test_the_next_one_dials_anew() -> None:
    line = Line()
    line.go.set()
    async with trio.open_nursery() as nursery:
        dials = Dials(line.dial, line.enter, nursery)
        assert await dials.connection_to(PEER) == "connection 1"
        assert await dials.connection_to(PEER) == "connection 2"


async def test_different_peers_are_dialled_at_once() -> None:
    line = Line()
    async with trio.open_nursery() as nursery:
        dials = Dials(line.dial, line.enter, nursery)
        nursery.start_soon(dials.connection_to, PEER)
        nursery.start_soon(dials.connection_to, OTHER)
        await wait_all_tasks_blocked()
        assert set(line.dialled) == {PEER, OTHER}
        line.go.set()


async def test_one_who_gives_up_does_not_end_the_dial_for_the_others() -> None:
    line = Line()
    async with trio.open_nursery() as nursery:
        dials = Dials(line.dial, line.enter, nursery)
        scope = trio.CancelScope()

        async def impatient() -> None:
            with scope:
                await dials.connection_to(PEER)

        nursery.start_soon(impatient)
        await wait_all_tasks_blocked()
        outcomes = await waiters(dials, 1, nursery)
        scope.cancel()
        await wait_all_tasks_blocked()
        line.go.set()
    assert (line.dialled, outcomes) == ([PEER], ["connection 1"])


@pytest.mark.parametrize("at", ["dial", "entry"])
async def test_a_failure_is_told_to_each_as_an_error_of_its_own(at: str) -> None:
    line = Line()
    fault = LimitExceededError("too many", hint="fewer") if at == "entry" else PeerUnreachableError("gone", hint="wait")
    if at == "entry":
        line.refusal = fault
    else:
        line.fault = fault
    async with trio.open_nursery() as nursery:
        dials = Dials(line.dial, line.enter, nursery)
        outcomes = await waiters(dials, 3, nursery)
        line.go.set()
    assert [(type(error), str(error)) for error in outcomes] == [(type(fault), str(fault))] * 3
    assert len({id(error) for error in outcomes}) == 3
    assert all(error.__cause__ is fault for error in outcomes)


async def test_at_the_hosts_end_those_who_wait_are_told(autojump_clock: MockClock) -> None:
    line = Line()
    async with trio.open_nursery() as outer, trio.open_nursery() as nursery:
        outcomes = await waiters(Dials(line.dial, line.enter, nursery), 2, outer)
        nursery.cancel_scope.cancel()
    assert [str(error) for error in outcomes] == ["this node is shutting down"] * 2
