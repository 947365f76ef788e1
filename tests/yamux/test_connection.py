"""Streams over two linked machines: opening, data, ends, windows, backlog, liveness, going away."""

from __future__ import annotations

import pytest

from chiral.errors import LimitExceededError, StreamResetError
from chiral.yamux.connection import Connection
from chiral.yamux.events import PeerGoingAway, RoundTripMeasured, StreamArrived, StreamReadable, StreamWritable
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
from chiral.yamux.stream import ResetBy, Stream
from tests.yamux.linked import Link, connection, data_frame, output, sent

KIB = 1024
EVERYTHING = 1 << 30


def send_all(link: Link, source: Connection, stream: Stream, data: bytes) -> None:
    """Send `data` whole, the other side reading nothing: only what its window takes."""
    view = memoryview(data)
    while view:
        taken = source.send(stream, view)
        assert taken or source.has_output, "neither credit nor anything under way"
        view = view[taken:]
        link.settle()


def opened(link: Link) -> tuple[Stream, Stream]:
    """A stream of the dialler, as both sides hold it."""
    ours = link.dialler.open_stream()
    link.dialler.flush(ours)
    link.settle()
    theirs = link.listener.accept()
    assert theirs is not None
    link.listener.flush(theirs)
    link.settle()
    return ours, theirs


def test_one_flight_opening() -> None:
    machine = connection(initiator=True)
    stream = machine.open_stream()
    assert not machine.has_output, "an opening alone is not sent"
    machine.send(stream, memoryview(b"request"))
    machine.finish(stream)
    assert sent(machine) == [(DATA, SYN, 1, b"request"), (DATA, FIN, 1, b"")], "the end goes alone: Go wants it so"


def test_flush_sends_the_opening_alone_once() -> None:
    machine = connection(initiator=True)
    stream = machine.open_stream()
    machine.flush(stream)
    assert sent(machine) == [(DATA, SYN, 1, b"")]
    machine.flush(stream)
    assert not machine.has_output


def test_answer_carries_the_acknowledgement() -> None:
    machine = connection()
    machine.receive(data_frame(1, b"request", SYN | FIN), 0.0)
    stream = machine.accept()
    assert stream is not None
    assert machine.take(stream, EVERYTHING, 0.0) == b"request"
    assert not machine.has_output, "the acknowledgement waits for company"
    machine.send(stream, memoryview(b"answer"))
    machine.finish(stream)
    assert sent(machine) == [(DATA, ACK, 1, b"answer"), (DATA, FIN, 1, b"")]
    assert machine.inbound_streams == 0


def test_acknowledgements_go_with_other_frames_or_when_many_wait() -> None:
    machine = connection()
    for stream_id in range(1, 2 * 20, 2):
        machine.receive(data_frame(stream_id, b"", SYN), 0.0)
        assert machine.accept() is not None
    assert len(sent(machine)) == 20 - 20 % 16 + 4, "sixteen at once, and the rest with them"
    machine.receive(data_frame(101, b"", SYN), 0.0)
    machine.accept()
    assert not machine.has_output
    machine.receive(header(PING, SYN, 0, 7), 0.0)
    assert sent(machine) == [(PING, ACK, 0, 7), (WINDOW_UPDATE, ACK, 101, 0)]


def test_bytes_arrive_and_both_sides_end() -> None:
    link = Link()
    ours = link.dialler.open_stream()
    link.dialler.send(ours, memoryview(b"hello "))
    link.dialler.send(ours, memoryview(b"world"))
    link.dialler.finish(ours)
    events = link.carry(link.dialler)
    assert [type(event) for event in events] == [StreamArrived]
    theirs = link.listener.accept()
    assert theirs is not None
    assert theirs.remote_ended
    assert link.listener.take(theirs, 5, 0.0) == b"hello"
    assert link.listener.take(theirs, EVERYTHING, 0.0) == b" world"
    link.listener.send(theirs, memoryview(b"bye"))
    link.listener.finish(theirs)
    link.settle()
    assert ours.is_over
    assert theirs.is_over
    assert link.dialler.take(ours, EVERYTHING, 0.0) == b"bye", "what came before the end is read after it"
    assert link.dialler.outbound_streams == link.listener.inbound_streams == 0
    assert link.dialler.unread_bytes == link.listener.unread_bytes == 0


def test_a_full_data_frame_fills_one_message() -> None:
    machine = connection(initiator=True)
    stream = machine.open_stream()
    machine.send(stream, memoryview(bytes(200_000)))
    messages = output(machine)
    assert [len(message) for message in messages[:-1]] == [65_519] * 3
    assert sum(len(message) - 12 for message in messages) == 200_000


def test_small_writes_travel_in_one_frame() -> None:
    machine = connection(initiator=True)
    stream = machine.open_stream()
    for _ in range(100):
        machine.send(stream, memoryview(b"ab"))
    assert sent(machine) == [(DATA, SYN, 1, b"ab" * 100)]


def test_reader_and_writer_are_told_only_when_they_wait() -> None:
    link = Link()
    ours, theirs = opened(link)
    link.dialler.send(ours, memoryview(b"1234"))
    assert link.carry(link.dialler) == []
    theirs.read_wanted = 6
    link.dialler.send(ours, memoryview(b"5"))
    assert link.carry(link.dialler) == []
    link.dialler.send(ours, memoryview(b"6"))
    assert link.carry(link.dialler) == [StreamReadable(theirs)]
    theirs.read_wanted = 100
    link.dialler.finish(ours)
    assert link.carry(link.dialler) == [StreamReadable(theirs)]


def test_a_reset_is_not_an_end() -> None:
    link = Link()
    ours, theirs = opened(link)
    link.dialler.send(ours, memoryview(b"part"))
    link.settle()
    theirs.read_wanted = 100
    theirs.write_wanted = True
    link.dialler.reset(ours)
    assert ours.reset_by is ResetBy.LOCAL
    assert link.carry(link.dialler) == [StreamReadable(theirs), StreamWritable(theirs)]
    assert theirs.reset_by is ResetBy.REMOTE
    assert not theirs.remote_ended
    assert link.listener.take(theirs, EVERYTHING, 0.0) == b""
    with pytest.raises(StreamResetError):
        link.listener.send(theirs, memoryview(b"x"))
    assert link.listener.inbound_streams == 0
    assert link.listener.unread_bytes == 0


def test_a_reset_after_the_end_leaves_what_is_whole() -> None:
    link = Link()
    ours, theirs = opened(link)
    link.dialler.send(ours, memoryview(b"whole"))
    link.dialler.finish(ours)
    link.carry(link.dialler)
    link.listener.receive(header(WINDOW_UPDATE, RST, 1, 0), 0.0)
    assert theirs.remote_ended
    assert link.listener.take(theirs, EVERYTHING, 0.0) == b"whole"
    with pytest.raises(StreamResetError):
        link.listener.send(theirs, memoryview(b"x"))


def test_reset_drops_what_waits_and_says_nothing_of_a_stream_never_opened() -> None:
    machine = connection(initiator=True)
    stream = machine.open_stream()
    machine.send(stream, memoryview(bytes(1000)))
    assert machine.backlog_bytes == 1000
    machine.reset(stream)
    assert machine.backlog_bytes == 0
    assert not machine.has_output
    assert machine.outbound_streams == machine.unacknowledged_streams == 0
    machine.reset(stream)
    machine.finish(stream)
    assert not machine.has_output


def test_sending_after_finish_is_the_callers_fault() -> None:
    machine = connection(initiator=True)
    stream = machine.open_stream()
    machine.finish(stream)
    with pytest.raises(ValueError, match="finished"):
        machine.send(stream, memoryview(b"x"))


def test_the_window_stops_a_sender_and_reading_half_of_it_goes_on() -> None:
    link = Link()
    ours, theirs = opened(link)
    assert link.dialler.send(ours, memoryview(bytes(1 << 20))) == INITIAL_WINDOW_BYTES
    link.settle()
    assert link.dialler.send(ours, memoryview(b"x")) == 0
    ours.write_wanted = True
    link.listener.take(theirs, INITIAL_WINDOW_BYTES // 2 - 1, 0.0)
    assert not link.listener.has_output
    link.listener.take(theirs, 1, 0.0)
    assert sent(link.listener) == [(WINDOW_UPDATE, 0, 1, INITIAL_WINDOW_BYTES // 2)]
    link.dialler.receive(header(WINDOW_UPDATE, 0, 1, INITIAL_WINDOW_BYTES // 2), 0.0)
    assert link.dialler.send(ours, memoryview(bytes(1 << 20))) == INITIAL_WINDOW_BYTES // 2


def test_a_stalled_stream_stops_no_other() -> None:
    link = Link()
    stalled, _ = opened(link)
    other, theirs = opened(link)
    link.dialler.send(stalled, memoryview(bytes(1 << 20)))
    link.settle()
    assert link.dialler.send(stalled, memoryview(b"x")) == 0
    for _ in range(40):
        assert link.dialler.send(other, memoryview(bytes(100_000))) == 100_000
        link.settle()
        assert len(link.listener.take(theirs, EVERYTHING, 0.0)) == 100_000
        link.settle()


def test_streams_take_turns() -> None:
    machine = connection(initiator=True)
    streams = [machine.open_stream() for _ in range(3)]
    for stream in streams:
        machine.send(stream, memoryview(bytes(150_000)))
    late = machine.open_stream()
    machine.send(late, memoryview(b"small"))
    order = [stream_id for kind, _, stream_id, _ in sent(machine) if kind == DATA]
    assert order[:4] == [1, 3, 5, 7], "the small one waits for one frame of each of the others"


def test_the_end_of_a_stream_follows_its_last_byte_at_once() -> None:
    machine = connection(initiator=True)
    for size in (100, 65_507, 65_507 - 12, 65_507 - 11, 70_000):
        stream = machine.open_stream()
        machine.send(stream, memoryview(bytes(size)))
        machine.finish(stream)
    order = [(stream_id, flags & FIN != 0) for _, flags, stream_id, _ in sent(machine)]
    for number in range(1, len(order)):
        if order[number][1]:
            assert order[number - 1] == (order[number][0], False)
    assert sum(ended for _, ended in order) == 5


def test_control_frames_go_first() -> None:
    machine = connection(initiator=True)
    machine.send(machine.open_stream(), memoryview(bytes(200_000)))
    machine.receive(header(PING, SYN, 0, 5), 0.0)
    assert sent(machine)[0] == (PING, ACK, 0, 5)


def test_the_backlog_is_bounded() -> None:
    limits = YamuxLimits(send_backlog_bytes=100_000)
    machine = connection(initiator=True, limits=limits)
    first, second = machine.open_stream(), machine.open_stream()
    assert machine.send(first, memoryview(bytes(80_000))) == 80_000
    assert machine.send(second, memoryview(bytes(80_000))) == 20_000
    assert machine.send(second, memoryview(b"x")) == 0
    machine.fill(memoryview(bytearray(65_519)))
    assert machine.backlog_bytes < 100_000
    assert machine.send(second, memoryview(b"x")) == 1


def test_windows_grow_with_what_the_path_holds() -> None:
    link = Link()
    link.dialler.tick(0.0)
    link.listener.tick(0.0)
    link.now = 0.1
    link.settle()
    assert link.listener.rtt_s == pytest.approx(0.1)
    ours, theirs = opened(link)
    sizes = []
    for _ in range(200):
        link.dialler.send(ours, memoryview(bytes(256 * KIB)))
        link.now += 0.001
        link.carry(link.dialler)
        link.listener.take(theirs, EVERYTHING, link.now)
        link.carry(link.listener)
        sizes.append(theirs.window.size)
    assert sizes[-1] == 16 * 1024 * KIB
    assert sorted(sizes) == sizes
    later = link.dialler.open_stream()
    link.dialler.send(later, memoryview(b"x"))
    link.carry(link.dialler)
    third = link.listener.accept()
    assert third is not None
    assert third.window.size == 1024 * KIB, "a new stream starts with what the path has shown"
    link.listener.take(third, EVERYTHING, link.now)
    assert (WINDOW_UPDATE, ACK, later.id, 768 * KIB) in sent(link.listener)


def test_windows_do_not_grow_for_a_slow_reader() -> None:
    link = Link()
    link.listener.tick(0.0)
    link.now = 0.001
    link.settle()
    ours, theirs = opened(link)
    for _ in range(50):
        link.dialler.send(ours, memoryview(bytes(128 * KIB)))
        link.carry(link.dialler)
        link.now += 0.5
        link.listener.take(theirs, EVERYTHING, link.now)
        link.carry(link.listener)
    assert theirs.window.size == INITIAL_WINDOW_BYTES


def test_the_growth_of_all_windows_is_bounded() -> None:
    limits = YamuxLimits(window_growth_bytes=1024 * KIB)
    link = Link(limits)
    link.listener.tick(0.0)
    link.now = 0.1
    link.settle()
    held = [opened(link) for _ in range(8)]
    for _ in range(30):
        for ours, theirs in held:
            link.dialler.send(ours, memoryview(bytes(256 * KIB)))
            link.carry(link.dialler)
            link.listener.take(theirs, EVERYTHING, link.now)
            link.carry(link.listener)
    assert sum(theirs.window.size - INITIAL_WINDOW_BYTES for _, theirs in held) <= 1024 * KIB
    for ours, _ in held:
        link.dialler.reset(ours)
    link.settle()
    ours, theirs = opened(link)
    for _ in range(10):
        link.dialler.send(ours, memoryview(bytes(256 * KIB)))
        link.carry(link.dialler)
        link.listener.take(theirs, EVERYTHING, link.now)
        link.carry(link.listener)
    assert theirs.window.size > INITIAL_WINDOW_BYTES, "what ended streams had is free again"


def test_an_outbound_stream_announces_a_grown_window_in_its_first_flight() -> None:
    link = Link()
    link.dialler.tick(0.0)
    link.now = 0.1
    link.settle()
    ours, theirs = opened(link)
    for _ in range(10):
        link.listener.send(theirs, memoryview(bytes(256 * KIB)))
        link.carry(link.listener)
        link.dialler.take(ours, EVERYTHING, link.now)
        link.carry(link.dialler)
    request = link.dialler.open_stream()
    link.dialler.send(request, memoryview(b"q"))
    link.dialler.finish(request)
    assert sent(link.dialler) == [
        (WINDOW_UPDATE, SYN, request.id, 768 * KIB),
        (DATA, 0, request.id, b"q"),
        (DATA, FIN, request.id, b""),
    ]
    bare = link.dialler.open_stream()
    link.dialler.flush(bare)
    assert sent(link.dialler) == [(WINDOW_UPDATE, SYN, bare.id, 768 * KIB)]


def test_collecting_gives_credit_as_bytes_arrive() -> None:
    link = Link()
    ours, theirs = opened(link)
    link.listener.collect(theirs, 0.0)
    theirs.read_wanted = EVERYTHING
    send_all(link, link.dialler, ours, bytes(1_000_000))
    assert theirs.inbox.size == 1_000_000
    link.dialler.finish(ours)
    assert link.carry(link.dialler) == [StreamReadable(theirs)]
    assert len(link.listener.take(theirs, EVERYTHING, 0.0)) == 1_000_000


def test_bytes_can_be_put_back() -> None:
    link = Link()
    ours, theirs = opened(link)
    link.dialler.send(ours, memoryview(b"header and body"))
    link.settle()
    assert theirs.inbox.peek(6) == b"header"
    assert link.listener.take(theirs, 10, 0.0) == b"header and"
    link.listener.put_back(theirs, b" and")
    assert link.listener.unread_bytes == 9
    assert link.listener.take(theirs, EVERYTHING, 0.0) == b" and body"
    assert link.listener.unread_bytes == 0


def test_an_abandoned_stream_drops_what_comes_and_ends_with_the_peer() -> None:
    link = Link()
    ours, theirs = opened(link)
    link.dialler.send(ours, memoryview(b"x" * 1000))
    link.settle()
    link.listener.send(theirs, memoryview(b"answer"))
    link.listener.abandon(theirs, 0.0)
    link.settle()
    assert link.listener.unread_bytes == 0
    link.dialler.send(ours, memoryview(b"late"))
    link.settle()
    assert theirs.inbox.size == 0
    assert link.dialler.take(ours, EVERYTHING, 0.0) == b"answer"
    link.dialler.finish(ours)
    link.settle()
    assert theirs.is_over
    assert link.listener.inbound_streams == link.dialler.outbound_streams == 0


def test_an_abandoned_stream_is_reset_when_the_peer_sends_on() -> None:
    link = Link()
    ours, theirs = opened(link)
    link.listener.abandon(theirs, 0.0)
    link.dialler.send(ours, memoryview(bytes(INITIAL_WINDOW_BYTES)))
    link.settle()
    assert ours.reset_by is ResetBy.REMOTE
    assert link.listener.inbound_streams == 0


def test_an_abandoned_stream_does_not_linger_for_ever() -> None:
    link = Link()
    ours, theirs = opened(link)
    link.listener.abandon(theirs, 0.0)
    link.listener.tick(9.0)
    link.settle()
    assert ours.reset_by is None
    link.listener.tick(10.0)
    link.settle()
    assert ours.reset_by is ResetBy.REMOTE


def test_no_more_streams_of_ours_than_the_limits_allow() -> None:
    link = Link(YamuxLimits(max_outbound_streams=3, max_unacknowledged=2))
    first, second = link.dialler.open_stream(), link.dialler.open_stream()
    assert not link.dialler.can_open
    with pytest.raises(LimitExceededError):
        link.dialler.open_stream()
    for stream in (first, second):
        link.dialler.flush(stream)
    link.settle()
    assert not link.dialler.can_open, "opened is not acknowledged"
    for _ in range(2):
        accepted = link.listener.accept()
        assert accepted is not None
        link.listener.flush(accepted)
    link.settle()
    assert link.dialler.free_slots == 1
    third = link.dialler.open_stream()
    assert not link.dialler.can_open, "three are open"
    link.dialler.reset(third)
    assert link.dialler.can_open


def test_ids_run_out() -> None:
    machine = connection(initiator=True)
    machine._table._next_id = MAX_UINT32
    machine.open_stream()
    with pytest.raises(LimitExceededError, match="ids"):
        machine.open_stream()


def test_pings_measure_and_keep_alive() -> None:
    link = Link()
    link.dialler.open_stream()
    assert link.dialler.tick(0.0) == 10.0
    assert sent(link.dialler) == [(PING, SYN, 0, 1)]
    link.dialler.receive(header(PING, ACK, 0, 1), 0.2)
    assert link.dialler.rtt_s == pytest.approx(0.2)
    assert link.dialler.tick(9.0) == 10.0
    assert not link.dialler.has_output
    link.dialler.tick(10.0)
    assert sent(link.dialler) == [(PING, SYN, 0, 2)]
    (event,) = link.dialler.receive(header(PING, ACK, 0, 2), 10.6)
    assert isinstance(event, RoundTripMeasured)
    assert event.rtt_s == pytest.approx(0.6)
    assert link.dialler.rtt_s == pytest.approx(0.3)


def test_an_idle_connection_is_pinged_when_nothing_came_for_long() -> None:
    machine = connection(initiator=True)
    machine.tick(0.0)
    assert sent(machine) == [(PING, SYN, 0, 1)]
    machine.receive(header(PING, ACK, 0, 1), 0.2)
    assert machine.tick(10.0) == pytest.approx(15.2)
    machine.receive(header(PING, SYN, 0, 7), 14.0)
    assert sent(machine) == [(PING, ACK, 0, 7)]
    assert machine.tick(15.2) == 29.0
    assert not machine.has_output
    machine.tick(29.0)
    assert sent(machine) == [(PING, SYN, 0, 2)]


def test_a_silent_peer_is_given_up() -> None:
    machine = connection()
    machine.tick(0.0)
    machine.receive(header(WINDOW_UPDATE, SYN, 1, 0), 4.0)
    assert machine.tick(10.0) == 14.0, "other bytes are a sign of life too"
    with pytest.raises(YamuxError, match="answered nothing"):
        machine.tick(14.0)


def test_the_peer_going_away() -> None:
    machine = connection(initiator=True)
    stream = machine.open_stream()
    assert machine.receive(header(GO_AWAY, 0, 0, 0), 0.0) == [PeerGoingAway(0)]
    assert machine.going_away == 0
    assert not machine.can_open
    with pytest.raises(StreamResetError):
        machine.open_stream()
    machine.send(stream, memoryview(b"still open"))
    assert machine.has_output


def test_a_normal_good_bye_comes_after_all_that_waits() -> None:
    machine = connection(initiator=True)
    stream = machine.open_stream()
    machine.send(stream, memoryview(bytes(150_000)))
    machine.finish(stream)
    machine.go_away(GoAwayCode.NORMAL)
    last = sent(machine)[-1]
    assert last == (GO_AWAY, 0, 0, 0)


def test_a_broken_rule_is_told_instead_of_all_that_waits() -> None:
    machine = connection(initiator=True)
    machine.send(machine.open_stream(), memoryview(bytes(150_000)))
    with pytest.raises(YamuxError):
        machine.receive(b"\x01" + bytes(11), 0.0)
    assert sent(machine) == [(GO_AWAY, 0, 0, GoAwayCode.PROTOCOL_ERROR)]
    assert machine.backlog_bytes == 0


def test_the_death_of_the_connection_is_the_death_of_its_streams() -> None:
    link = Link()
    ours, theirs = opened(link)
    link.dialler.send(ours, memoryview(b"part"))
    link.settle()
    assert link.listener.fail() == [theirs]
    assert theirs.reset_by is ResetBy.CONNECTION
    assert link.listener.take(theirs, EVERYTHING, 0.0) == b""
    assert link.listener.inbound_streams == 0
    assert not link.listener.has_output


def test_live_streams_and_frames_are_counted() -> None:
    link = Link()
    ours, theirs = opened(link)
    assert link.dialler.live_streams() == [ours]
    assert link.listener.live_streams() == [theirs]
    assert link.listener.frames_received == 1
    assert link.listener.waiting_streams == 0
