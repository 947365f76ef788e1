"""The reception: handshakes within a limit, and stalled remotes that cannot hold it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chiral.errors import LimitExceededError, ProtocolError, RequestTimeoutError
from chiral.host.reception import Reception

FOR_EVER_S = 1e9


class Door:
    """Handshakes that take as long as the test says; sockets are numbers here."""

    def __init__(self) -> None:
        self.seconds: dict[Any, float] = {}
        self.under_way: set[Any] = set()

    async def upgrade(self, tcp: Any) -> Any:
        self.under_way.add(tcp)
        try:
            await trio.sleep(self.seconds.get(tcp, FOR_EVER_S))
        finally:
            self.under_way.discard(tcp)
        if tcp == "rude":
            raise ProtocolError("no noise")
        return f"connection of {tcp}"


def reception(door: Door, max_pending: int = 2) -> Any:
    return Reception(door.upgrade, max_pending, 15.0)


async def test_a_handshake_makes_a_connection_and_gives_its_place_back(autojump_clock: MockClock) -> None:
    door = Door()
    door.seconds = {"a": 0.1, "b": 0.1, "rude": 0.1}
    desk = reception(door, 1)
    assert await desk.receive("a") == "connection of a"
    with pytest.raises(ProtocolError):
        await desk.receive("rude")
    assert await desk.receive("b") == "connection of b"


async def test_a_handshake_that_stalls_ends_by_its_deadline(autojump_clock: MockClock) -> None:
    door = Door()
    with pytest.raises(RequestTimeoutError):
        await reception(door).receive("stalled")
    assert trio.current_time() == pytest.approx(15.0)
    assert not door.under_way


async def test_those_who_stall_give_way_to_who_comes(autojump_clock: MockClock) -> None:
    door = Door()
    door.seconds = {"honest": 0.2}
    desk = reception(door, 2)
    outcomes: dict[str, object] = {}

    async def come(name: str) -> None:
        try:
            outcomes[name] = await desk.receive(name)
        except (LimitExceededError, RequestTimeoutError) as error:
            outcomes[name] = type(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(come, "stalled 1")
        await trio.sleep(0.1)
        nursery.start_soon(come, "stalled 2")
        await trio.sleep(0.5)
        nursery.start_soon(come, "too early")
        await trio.sleep(0.5)
        assert outcomes == {"too early": LimitExceededError}
        nursery.start_soon(come, "honest")
        await trio.sleep(0.01)
        assert outcomes["stalled 1"] is RequestTimeoutError
        assert door.under_way == {"stalled 2", "honest"}
    assert outcomes["honest"] == "connection of honest"


async def test_a_handshake_that_is_cancelled_gives_its_place_back(autojump_clock: MockClock) -> None:
    door = Door()
    door.seconds = {"next": 0.1}
    desk = reception(door, 1)
    with trio.move_on_after(0.5):
        await desk.receive("cancelled")
    assert await desk.receive("next") == "connection of next"
