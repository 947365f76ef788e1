"""The reception: handshakes within a limit, stalled remotes that cannot hold it, and who is not received any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chiral.errors import LimitExceededError, ProtocolError, RequestTimeoutError
from chiral.host.offenders import BURST, RATE_PER_S
from chiral.host.reception import Reception

FOR_EVER_S = 1e9


class Socket:
    """An accepted socket: the name of who is at its other end, and where that is."""

    def __init__(self, name: str, host: str = "192.0.2.1") -> None:
        self.name = name
        self.host = host
        self.socket = self

    def getpeername(self) -> tuple[str, int]:
        if self.name == "gone":
            raise OSError("not connected")
        return self.host, 4101


class Made:
    """A connection that a handshake made; `end` is its end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._tell: list[Callable[[Exception | None], None]] = []

    def on_end(self, tell: Callable[[Exception | None], None]) -> None:
        self._tell.append(tell)

    def end(self, cause: Exception | None) -> None:
        for tell in self._tell:
            tell(cause)


class Door:
    """Handshakes that take as long as the test says."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.under_way: set[str] = set()

    async def upgrade(self, tcp: Any) -> Any:
        self.under_way.add(tcp.name)
        try:
            await trio.sleep(self.seconds.get(tcp.name, FOR_EVER_S))
        finally:
            self.under_way.discard(tcp.name)
        if tcp.name == "rude":
            raise ProtocolError("no noise")
        return Made(tcp.name)


class Desk:
    """A reception at which who comes is named."""

    def __init__(self, door: Door, max_pending: int = 2) -> None:
        self._reception = Reception(door.upgrade, max_pending, 15.0)

    async def receive(self, name: str, host: str = "192.0.2.1") -> Any:
        return await self._reception.receive(Socket(name, host))  # type: ignore[arg-type]


async def test_a_handshake_makes_a_connection_and_gives_its_place_back(autojump_clock: MockClock) -> None:
    door = Door()
    door.seconds = {"a": 0.1, "b": 0.1, "rude": 0.1}
    desk = Desk(door, 1)
    assert (await desk.receive("a")).name == "a"
    with pytest.raises(ProtocolError):
        await desk.receive("rude")
    assert (await desk.receive("b")).name == "b"


async def test_a_handshake_that_stalls_ends_by_its_deadline(autojump_clock: MockClock) -> None:
    door = Door()
    with pytest.raises(RequestTimeoutError):
        await Desk(door).receive("stalled")
    assert trio.current_time() == pytest.approx(15.0)
    assert not door.under_way


async def test_those_who_stall_give_way_to_who_comes(autojump_clock: MockClock) -> None:
    door = Door()
    door.seconds = {"honest": 0.2}
    desk = Desk(door, 2)
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
    assert isinstance(outcomes["honest"], Made)


async def test_a_handshake_that_is_cancelled_gives_its_place_back(autojump_clock: MockClock) -> None:
    door = Door()
    door.seconds = {"next": 0.1}
    desk = Desk(door, 1)
    with trio.move_on_after(0.5):
        await desk.receive("cancelled")
    assert (await desk.receive("next")).name == "next"


async def test_connections_that_break_the_rules_cost_their_address(autojump_clock: MockClock) -> None:
    door = Door()
    door.seconds = {"a": 0.0}
    desk = Desk(door)
    guests = [await desk.receive("a") for _ in range(BURST)]
    for guest in guests:
        guest.end(ProtocolError("flood"))
    with pytest.raises(LimitExceededError):
        await desk.receive("a")
    assert (await desk.receive("a", "192.0.2.2")).name == "a"
    await trio.sleep(1 / RATE_PER_S)
    assert (await desk.receive("a")).name == "a"


async def test_so_do_handshakes_that_do(autojump_clock: MockClock) -> None:
    door = Door()
    door.seconds = {"rude": 0.0}
    desk = Desk(door)
    for _ in range(BURST // 2):
        with pytest.raises(ProtocolError):
            await desk.receive("rude")
    with pytest.raises(ProtocolError):  # the first came free, each since cost its coming and its fault
        await desk.receive("rude")
    with pytest.raises(LimitExceededError):
        await desk.receive("rude")


async def test_who_comes_and_goes_costs_nothing(autojump_clock: MockClock) -> None:
    door = Door()
    door.seconds = {"a": 0.0}
    desk = Desk(door)
    for _ in range(10 * BURST):
        (await desk.receive("a")).end(None)


async def test_a_socket_that_is_gone_already_is_nobodys_offence(autojump_clock: MockClock) -> None:
    door = Door()
    door.seconds = {"gone": 0.0}
    assert (await Desk(door).receive("gone")).name == "gone"
