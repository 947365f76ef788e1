"""Small frames beyond all need are waited for; work of any size never is."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from chiral.host.muxed_pace import BURST_FRAMES, BYTES_A_FRAME, RATE_FRAMES_S, Pace
from chiral.host.muxed_pump import Pump
from chiral.yamux.connection import Connection
from chiral.yamux.frame import DATA, HEADER_BYTES, SYN, header


def test_a_burst_passes_and_what_is_over_it_waits() -> None:
    pace = Pace(0.0)
    assert pace.wait_s(BURST_FRAMES, BURST_FRAMES, 0.0) == pytest.approx(0.0, abs=0.01)
    assert pace.wait_s(BURST_FRAMES + 1000, 1000, 0.0) == pytest.approx(1000 / RATE_FRAMES_S, rel=0.02)


def test_what_was_waited_for_counts_no_more() -> None:
    pace = Pace(0.0)
    frames, now = 0, 0.0
    for _ in range(100):
        frames += 5000
        now += pace.wait_s(frames, 65_000, now)
    assert frames / now == pytest.approx(RATE_FRAMES_S, rel=0.1)


def test_a_quiet_time_earns_a_burst_and_not_more() -> None:
    pace = Pace(0.0)
    assert pace.wait_s(2 * BURST_FRAMES, 0, 0.0) > 0
    assert pace.wait_s(3 * BURST_FRAMES, 0, 1000.0) == 0
    assert pace.wait_s(4 * BURST_FRAMES, 0, 1000.0) == pytest.approx(BURST_FRAMES / RATE_FRAMES_S)


@pytest.mark.parametrize("size", [BYTES_A_FRAME, 16_384, 65_519])
def test_frames_that_hold_something_are_free(size: int) -> None:
    pace = Pace(0.0)
    assert not any(pace.wait_s(frames, size, 0.0) for frames in range(1, 100_000))


def test_requests_at_the_rate_of_a_busy_node_are_free() -> None:
    """Five thousand a second, each a stream with a window, a request and its end."""
    pace, frames = Pace(0.0), 0
    for number in range(20_000):
        frames += 3
        assert pace.wait_s(frames, 120, number / 5000) == 0


class Flood:
    """A session from which one-byte frames come as fast as they are taken."""

    def __init__(self) -> None:
        self.bytes_received = self.bytes_sent = 0
        self.is_flushed = True
        self._first = header(DATA, SYN, 1, 0)

    async def receive(self) -> list[bytes]:
        await trio.lowlevel.checkpoint()
        first, self._first = self._first, b""
        return [first + (header(DATA, 0, 1, 1) + b"x") * 1000]


async def test_a_flood_is_read_at_its_pace(autojump_clock: MockClock) -> None:
    machine = Connection(initiator=False, now=trio.current_time())

    def moved() -> None:
        """Whoever holds the stream reads all of it, so that the window is never full."""
        stream = machine.live_streams()[0]
        machine.take(stream, stream.inbox.size, trio.current_time())

    session = Flood()
    pump = Pump(session, machine, lambda events: None, moved)  # type: ignore[arg-type]
    with trio.move_on_after(10):
        await pump.receive()
    assert HEADER_BYTES + 1 < BYTES_A_FRAME
    assert machine.frames_received == pytest.approx(BURST_FRAMES + 10 * RATE_FRAMES_S, rel=0.05)
