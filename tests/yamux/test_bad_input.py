"""What a hostile or broken peer may send: each ends in a protocol error, or is borne within a bound."""

from __future__ import annotations

import tracemalloc

import pytest

from chiral.yamux.connection import Connection
from chiral.yamux.frame import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    INITIAL_WINDOW_BYTES,
    MAX_UINT32,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    GoAwayCode,
    YamuxError,
    header,
)
from chiral.yamux.limits import YamuxLimits
from chiral.yamux.stream import ResetBy
from tests.yamux.linked import connection, data_frame, output, sent

EVERYTHING = 1 << 30


def refused(machine: Connection, data: bytes, match: str, now: float = 0.0) -> None:
    """The machine raises, and has nothing to say but why."""
    with pytest.raises(YamuxError, match=match):
        machine.receive(data, now)
    assert sent(machine) == [(GO_AWAY, 0, 0, GoAwayCode.PROTOCOL_ERROR)]


@pytest.mark.parametrize("version", [1, 2, 255])
def test_another_version(version: int) -> None:
    refused(connection(), bytes([version]) + bytes(11), "version")


@pytest.mark.parametrize("kind", [4, 5, 255])
def test_an_unknown_type(kind: int) -> None:
    refused(connection(), header(kind, 0, 0, 0), "unknown type")


@pytest.mark.parametrize("length", [INITIAL_WINDOW_BYTES + 1, 1 << 24, MAX_UINT32])
def test_a_length_beyond_the_window_costs_nothing(length: int) -> None:
    tracemalloc.start()
    try:
        refused(connection(), header(DATA, SYN, 1, length), "window")
        assert tracemalloc.get_traced_memory()[1] < 256 * 1024
    finally:
        tracemalloc.stop()


def test_a_length_of_4_gib_for_a_stream_that_is_not_there() -> None:
    refused(connection(), header(DATA, 0, 1, MAX_UINT32), "not open")


def test_a_window_overrun_in_small_steps() -> None:
    machine = connection()
    machine.receive(data_frame(1, bytes(65_536), SYN), 0.0)
    for _ in range(3):
        machine.receive(data_frame(1, bytes(65_536)), 0.0)
    refused(machine, data_frame(1, b"x"), "window of 0")


def test_a_reader_that_never_reads_costs_one_window() -> None:
    machine = connection()
    machine.receive(data_frame(1, bytes(INITIAL_WINDOW_BYTES), SYN), 0.0)
    assert machine.unread_bytes == INITIAL_WINDOW_BYTES
    machine.accept()
    assert not machine.has_output, "it is given no credit"


@pytest.mark.parametrize("stream_id", [2, 4, 100])
def test_an_id_of_our_parity(stream_id: int) -> None:
    refused(connection(), data_frame(stream_id, b"", SYN), "not its own")


@pytest.mark.parametrize("initiator", [True, False])
def test_a_stream_with_the_id_of_the_connection(initiator: bool) -> None:
    refused(connection(initiator=initiator), data_frame(0, b"", SYN), "not its own")
    refused(connection(initiator=initiator), data_frame(0, b""), "connection itself")


def test_syn_on_a_live_id() -> None:
    machine = connection()
    machine.receive(data_frame(1, b"", SYN), 0.0)
    refused(machine, data_frame(1, b"", SYN), "again")


def test_syn_on_an_id_that_is_over() -> None:
    machine = connection()
    machine.receive(data_frame(1, b"", SYN | RST), 0.0)
    refused(machine, header(WINDOW_UPDATE, SYN, 1, 0), "again")


def test_ids_may_arrive_out_of_order() -> None:
    machine = connection()
    for stream_id in (5, 1, 9, 3, 7):
        machine.receive(data_frame(stream_id, b"", SYN), 0.0)
    assert machine.inbound_streams == 5
    refused(machine, data_frame(3, b"", SYN), "again")


def test_data_after_the_end() -> None:
    machine = connection()
    machine.receive(data_frame(1, b"all", SYN | FIN), 0.0)
    refused(machine, data_frame(1, b"more"), "after its end")


def test_a_second_end_is_borne_within_a_bound() -> None:
    machine = connection(limits=YamuxLimits(stray_burst=10, stray_rate=1))
    machine.receive(data_frame(1, b"all", SYN | FIN), 0.0)
    for _ in range(10):
        machine.receive(data_frame(1, b"", FIN), 0.0)
    refused(machine, data_frame(1, b"", FIN), "say nothing")


def test_a_send_window_over_4_gib() -> None:
    machine = connection()
    machine.receive(data_frame(1, b"", SYN), 0.0)
    refused(machine, header(WINDOW_UPDATE, 0, 1, MAX_UINT32), "4 GiB")


def test_streams_over_the_limit_are_refused_and_their_data_dropped() -> None:
    machine = connection(limits=YamuxLimits(max_inbound_streams=2))
    for stream_id in (1, 3, 5):
        machine.receive(data_frame(stream_id, b"x" * 1000, SYN), 0.0)
    assert sent(machine) == [(WINDOW_UPDATE, RST, 5, 0)]
    assert machine.inbound_streams == 2
    assert machine.unread_bytes == 2000
    machine.receive(data_frame(5, b"x" * 1000), 0.0)
    assert machine.unread_bytes == 2000


def test_streams_over_the_accept_backlog_are_refused() -> None:
    machine = connection()
    for number in range(300):
        machine.receive(data_frame(2 * number + 1, b"", SYN), 0.0)
    assert machine.waiting_streams == 256
    assert len(sent(machine)) == 44
    assert all(machine.accept() for _ in range(256))
    assert machine.accept() is None


def test_a_stream_reset_before_it_is_accepted_is_not_given_out() -> None:
    machine = connection()
    machine.receive(data_frame(1, b"", SYN) + data_frame(3, b"", SYN) + data_frame(1, b"", RST), 0.0)
    stream = machine.accept()
    assert stream is not None
    assert stream.id == 3
    assert machine.accept() is None


def flood(machine: Connection, *flags: int) -> int:
    """Send 100,000 streams in a second, a frame with each of `flags`; returns how many the machine bore."""
    for number in range(100_000):
        data = b"".join(data_frame(2 * number + 1, b"", each) for each in flags)
        try:
            machine.receive(data, number / 1e5)
        except YamuxError:
            return number
    return 100_000


def test_a_hundred_thousand_streams_opened_and_reset() -> None:
    machine = connection()
    taken = flood(machine, SYN, RST)
    assert 1000 < taken < 2000
    assert machine.inbound_streams == 0
    assert machine.waiting_streams == 0


def test_a_flood_of_syns() -> None:
    machine = connection()
    assert flood(machine, SYN) < 2000
    assert machine.inbound_streams <= 512


def test_streams_that_are_used_may_come_at_any_rate() -> None:
    machine = connection()
    for number in range(20_000):
        machine.receive(data_frame(2 * number + 1, b"q", SYN | FIN), 0.0)
        stream = machine.accept()
        assert stream is not None
        assert machine.take(stream, EVERYTHING, 0.0) == b"q"
        machine.finish(stream)
        output(machine)
    assert machine.inbound_streams == 0


def test_a_flood_of_pings() -> None:
    machine = connection()
    for value in range(256):
        machine.receive(header(PING, SYN, 0, value), 0.0)
    assert len(sent(machine)) == 256
    with pytest.raises(YamuxError, match="too many pings"):
        machine.receive(header(PING, SYN, 0, 0), 0.0)


def test_pings_at_a_civil_rate() -> None:
    machine = connection()
    for value in range(5000):
        machine.receive(header(PING, SYN, 0, value), value / 20)
        output(machine)


@pytest.mark.parametrize(
    "frame",
    [
        data_frame(1),
        header(WINDOW_UPDATE, 0, 1, 0),
        data_frame(9),
        header(WINDOW_UPDATE, 0, 9, 100),
        header(PING, ACK, 0, 77),
        data_frame(9, b"", RST),
        data_frame(9, b"", FIN),
    ],
    ids=["empty data", "no credit", "unknown", "credit for unknown", "pong unasked", "reset unknown", "end unknown"],
)
def test_frames_that_say_nothing(frame: bytes) -> None:
    machine = connection(limits=YamuxLimits(stray_burst=50, stray_rate=1))
    machine.receive(data_frame(1, b"", SYN), 0.0)
    for _ in range(50):
        machine.receive(frame, 0.0)
    refused(machine, frame, "say nothing")


def test_what_crosses_a_reset_is_no_fault() -> None:
    machine = connection()
    machine.receive(data_frame(1, b"x", SYN), 0.0)
    stream = machine.accept()
    assert stream is not None
    machine.reset(stream)
    machine.receive(data_frame(1, bytes(INITIAL_WINDOW_BYTES - 1)), 0.0)
    assert machine.unread_bytes == 0
    refused(machine, data_frame(1, b"x"), "not open")


def test_a_reset_in_the_middle_of_a_frame() -> None:
    machine = connection()
    frame = data_frame(1, bytes(1000), SYN)
    machine.receive(frame[:500], 0.0)
    stream = machine.accept()
    assert stream is not None
    machine.reset(stream)
    machine.receive(frame[500:] + data_frame(3, b"next", SYN), 0.0)
    following = machine.accept()
    assert following is not None
    assert machine.take(following, EVERYTHING, 0.0) == b"next"
    assert machine.unread_bytes == 0


def test_unread_bytes_of_all_streams_are_bounded() -> None:
    limits = YamuxLimits(max_unread_bytes=1 << 20)
    machine = connection(limits=limits)
    for number in range(20):
        machine.receive(data_frame(2 * number + 1, bytes(200_000), SYN), 0.0)
    assert machine.unread_bytes <= 1 << 20
    assert machine.inbound_streams == 5
    assert [frame[:2] for frame in sent(machine)] == [(WINDOW_UPDATE, RST)] * 15
    machine.receive(data_frame(39, bytes(60_000)), 0.0)
    assert machine.unread_bytes <= 1 << 20, "what was under way when it was reset is no fault"


def test_tiny_frames_cost_about_what_they_carry() -> None:
    machine = connection()
    machine.receive(data_frame(1, b"", SYN), 0.0)
    message = data_frame(1, b"x") * 5000
    tracemalloc.start()
    try:
        for _ in range(50):
            machine.receive(bytes(message), 0.0)
        assert machine.unread_bytes == 250_000
        assert tracemalloc.get_traced_memory()[0] < 600_000
    finally:
        tracemalloc.stop()


def test_a_few_bytes_do_not_hold_a_whole_message() -> None:
    machine = connection()
    machine.receive(data_frame(1, b"", SYN) + data_frame(3, b"", SYN), 0.0)
    read = machine.accept()
    assert read is not None
    tracemalloc.start()
    try:
        for _ in range(50):
            machine.receive(bytes(data_frame(3, bytes(5000)) + data_frame(1, bytes(60_000))), 0.0)
            machine.take(read, EVERYTHING, 0.0)
        assert machine.unread_bytes == 250_000
        assert tracemalloc.get_traced_memory()[0] < 600_000
    finally:
        tracemalloc.stop()


def test_answers_that_nobody_reads_are_bounded() -> None:
    machine = connection(limits=YamuxLimits(control_backlog_frames=100, ping_burst=1000))
    with pytest.raises(YamuxError, match="does not read"):
        machine.receive(header(PING, SYN, 0, 1) * 1000, 0.0)


def test_the_reason_of_a_reset_is_told() -> None:
    machine = connection()
    machine.receive(data_frame(1, b"", SYN), 0.0)
    stream = machine.accept()
    assert stream is not None
    machine.receive(data_frame(1, b"tail", RST), 0.0)
    assert stream.reset_by is ResetBy.REMOTE
    assert machine.take(stream, EVERYTHING, 0.0) == b""
