"""Frames on a stream: however they arrive, they come out whole and bounded."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.errors import LimitExceededError, ProtocolError, RemoteError
from chiral.kad.framing import FrameReader, frame, frame_message
from chiral.kad.messages import MAX_MESSAGE_BYTES, Message, MessageType, PeerEntry, decode_message


def frames_of(reader: FrameReader, data: bytes) -> list[bytes]:
    """All frames that are whole once `data` has arrived too."""
    reader.feed(data)
    found = []
    while (whole := reader.next()) is not None:
        found.append(whole)
    assert not reader.ready
    return found


def test_a_message_stands_behind_its_length() -> None:
    assert frame_message(Message(MessageType.PING)).hex() == "020805"
    assert frame(bytes(300))[:2].hex() == "ac02"


def test_large_messages_are_trimmed() -> None:
    peers = tuple(PeerEntry(bytes([n]) * 34, (bytes(40),) * 16) for n in range(100))
    (data,) = frames_of(FrameReader(), frame_message(Message(MessageType.FIND_NODE, b"k", closer=peers)))
    assert len(data) <= MAX_MESSAGE_BYTES
    assert decode_message(data).closer == peers[: len(decode_message(data).closer)]


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(0, 2000), max_size=12))
def test_frames_come_out_however_they_are_cut(frames: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(frame(data) for data in frames)
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    reader = FrameReader()
    found: list[bytes] = []
    for start, end in pairwise(edges):
        found += frames_of(reader, wire[start:end])
    assert found == frames
    assert not reader.partial


def test_a_frame_that_has_begun_is_partial() -> None:
    reader = FrameReader()
    for part in (b"\x80", b"\x01", b"x"):
        assert frames_of(reader, part) == []
        assert reader.partial
    assert frames_of(reader, bytes(127)) == [b"x" + bytes(127)]
    assert not reader.partial


def test_too_long_a_frame_is_refused_by_its_length_alone() -> None:
    with pytest.raises(LimitExceededError, match="65537"):
        frames_of(FrameReader(), frame(bytes(65_537))[:3])
    assert frames_of(FrameReader(), frame(bytes(65_536))) == [bytes(65_536)]


@pytest.mark.parametrize("wire", [b"\xff" * 9, b"\x80" * 20, b"\x80\x00", b"\x81\x80\x00"])
def test_lengths_without_end_or_not_minimal(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        frames_of(FrameReader(), wire)


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_any_bytes_are_frames_or_a_remote_error(parts: list[bytes]) -> None:
    reader = FrameReader(limit_bytes=100)
    try:
        for part in parts:
            assert all(len(data) <= 100 for data in frames_of(reader, part))
    except RemoteError:
        return


def test_whole_frames_before_a_malformed_one_come_out() -> None:
    reader = FrameReader()
    reader.feed(frame(b"whole") + b"\xff" * 9)
    assert reader.ready
    assert reader.next() == b"whole"
    assert not reader.ready
    with pytest.raises(ProtocolError):
        reader.next()
