"""Hypothesis over two linked machines: whatever is done in whatever order, bytes stay whole and memory bounded."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chiral.yamux.frame import YamuxError
from tests.yamux.exchange import ACTIONS, Exchange
from tests.yamux.linked import connection, data_frame, output

EVERYTHING = 1 << 30

STEPS = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.booleans(),
        st.integers(0, 5),
        st.integers(1, 300_000),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(STEPS)
def test_bytes_stay_whole_and_memory_bounded(steps: list[tuple[str, bool, int, int]]) -> None:
    exchange = Exchange()
    for action, dialler, which, size in steps:
        exchange.step(action, dialler, which, size)
        exchange.check()
    exchange.finish()


@given(st.lists(st.binary(max_size=400), max_size=8), st.integers(1, 500), st.integers(64, 2000))
def test_cuts_and_message_sizes_make_no_difference(payloads: list[bytes], cut: int, message_bytes: int) -> None:
    source, target = connection(initiator=True), connection()
    for payload in payloads:
        stream = source.open_stream()
        source.send(stream, memoryview(payload))
        source.finish(stream)
    wire = b"".join(output(source, message_bytes))
    for start in range(0, len(wire), cut):
        target.receive(wire[start : start + cut], 0.0)
    for payload in payloads:
        stream_in = target.accept()
        assert stream_in is not None
        assert stream_in.remote_ended
        assert target.take(stream_in, EVERYTHING, 0.0) == payload


@settings(max_examples=500)
@given(st.lists(st.binary(min_size=1, max_size=200), max_size=10), st.booleans())
def test_random_bytes_raise_nothing_but_protocol_errors(pieces: list[bytes], initiator: bool) -> None:
    machine = connection(initiator=initiator)
    try:
        for piece in pieces:
            machine.receive(piece, 0.0)
    except YamuxError:
        assert machine.has_output
    assert machine.unread_bytes <= sum(map(len, pieces))


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 2, 3]),
        st.sampled_from([0, 0, 1, 1, 2, 4, 5, 8, 9, 15, 0xFFF0]),
        st.sampled_from([0, 1, 1, 2, 3, 3, 5, 7, 0xFFFFFFFF]),
        st.sampled_from([0, 1, 13, 400, 70_000, 262_144, 262_145, 0xFFFFFFFF]),
    ),
    max_size=30,
)


@settings(max_examples=500)
@given(FRAMES, st.booleans())
def test_frames_in_any_order_raise_nothing_but_protocol_errors(
    frames: list[tuple[int, int, int, int]], initiator: bool
) -> None:
    machine = connection(initiator=initiator)
    for _ in range(2):
        machine.send(machine.open_stream(), memoryview(b"x"))
    output(machine)
    try:
        for kind, flags, stream_id, length in frames:
            body = bytes(min(length, 262_145)) if kind == 0 else b""
            machine.receive(bytes([0, kind]) + flags.to_bytes(2, "big") + stream_id.to_bytes(4, "big")
                            + length.to_bytes(4, "big") + body, 0.0)  # fmt: skip
            while (stream := machine.accept()) is not None:
                machine.take(stream, EVERYTHING, 0.0)
    except YamuxError:
        assert machine.has_output
    assert machine.unread_bytes <= machine.limits.max_unread_bytes


@settings(max_examples=300)
@given(st.data())
def test_flipped_bits_in_a_valid_session(data: st.DataObject) -> None:
    wire = bytearray(
        data_frame(1, b"a" * 100, 1) + data_frame(3, b"b" * 50, 5) + data_frame(1, b"c" * 30, 4) + data_frame(5, b"", 9)
    )
    for _ in range(data.draw(st.integers(1, 3))):
        bit = data.draw(st.integers(0, 8 * len(wire) - 1))
        wire[bit // 8] ^= 1 << bit % 8
    machine = connection()
    try:
        machine.receive(bytes(wire), 0.0)
    except YamuxError:
        return
    while (stream := machine.accept()) is not None:
        assert len(machine.take(stream, EVERYTHING, 0.0)) <= len(wire)
