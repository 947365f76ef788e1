"""Holding a connection open while it is used, in virtual time, on a connection that only counts."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio

from chiral.errors import StreamResetError
from chiral.host import hold
from chiral.host.connection import Connection
from chiral.host.multistream import HEADER
from chiral.interface.peer import PeerId


class HeldStream:
    """A stream that remembers what was said on it."""

    def __init__(self) -> None:
        self.said = b""
        self.is_reset = False

    async def write(self, data: bytes) -> None:
        self.said += data

    async def reset(self) -> None:
        self.is_reset = True


class CountingConnection(Connection):
    """A connection without a wire."""

    __slots__ = ("gone", "held")

    def __init__(self, direction: Any) -> None:
        super().__init__(cast(Any, None), PeerId(b"\x12\x20" + bytes(32)), b"", direction, 0.0)
        self.held: list[HeldStream] = []
        self.gone = False

    async def open_unused(self) -> Any:
        if self.gone:
            raise StreamResetError("gone")
        self.held.append(HeldStream())
        return self.held[-1]

    @property
    def open_streams(self) -> int:
        return sum(not stream.is_reset for stream in self.held)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents are what the test says they are."""
    monkeypatch.setattr(hold, "PATIENT_AGENTS", ("chiral/",))


async def test_a_dialled_connection_is_held_at_once_and_given_up_when_idle(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    connection = CountingConnection("outbound")
    nursery.start_soon(hold.hold_while_used, connection, lambda: "rust-libp2p/0.45.0")
    await trio.testing.wait_all_tasks_blocked()
    assert [stream.said for stream in connection.held] == [HEADER]
    assert connection.open_streams == 1
    await trio.sleep(hold.IDLE_S + 0.1)
    assert connection.open_streams == 0
    nursery.cancel_scope.cancel()


async def test_it_is_held_again_with_the_next_use_and_renewed_while_used(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    connection = CountingConnection("outbound")
    nursery.start_soon(hold.hold_while_used, connection, lambda: "rust-libp2p/0.45.0")
    await trio.sleep(10 * hold.IDLE_S)
    assert connection.open_streams == 0
    for _ in range(10):
        await connection.open()
        await trio.testing.wait_all_tasks_blocked()
        assert connection.open_streams >= 1 + sum(not stream.said for stream in connection.held if not stream.is_reset)
        await trio.sleep(hold.IDLE_S / 2)
    renewed = [stream for stream in connection.held if stream.said]
    assert len(renewed) > 2, "a remote waits ten seconds for a proposal and no longer"
    nursery.cancel_scope.cancel()


async def test_an_accepted_connection_is_held_only_once_it_is_used(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    connection = CountingConnection("inbound")
    nursery.start_soon(hold.hold_while_used, connection, lambda: "rust-libp2p/0.45.0")
    await trio.sleep(1)
    assert connection.held == []
    await connection.open()
    await trio.testing.wait_all_tasks_blocked()
    assert [stream.said for stream in connection.held] == [b"", HEADER]
    nursery.cancel_scope.cancel()


async def test_a_patient_peer_is_not_held(autojump_clock: trio.testing.MockClock) -> None:
    connection = CountingConnection("outbound")
    await hold.hold_while_used(connection, lambda: "chiral/0.1.0")
    assert connection.held == []


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
async def test_it_ends_with_the_connection(direction: str, autojump_clock: trio.testing.MockClock) -> None:
    connection = CountingConnection(direction)
    connection.gone = True
    connection.over.set()
    await hold.hold_while_used(connection, lambda: "rust-libp2p/0.45.0")
    assert connection.open_streams == 0
