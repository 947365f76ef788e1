"""Frames: what pays is packed, whatever is read back is bounded and exactly what was put in."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.varint import encode_varint
from chiral.encoding.compression import CodecName, codec_named
from chiral.encoding.compression_frame import LEAST_BYTES, MOST_BYTES, BlockPacker, plain_size, resting_bytes
from chiral.errors import IntegrityError

NAMES: list[CodecName] = ["zstd", "lz4", "gzip"]
RANDOM = random.Random(5).randbytes(1 << 18)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [LEAST_BYTES, 4096, 1 << 18, MOST_BYTES])
def test_round_trip_by_another_packer(name: CodecName, size: int) -> None:
    data = (b"a line of a log, number %d\n" * (size // 20 + 1))[:size]
    packer = BlockPacker(name)
    assert packer.promises(data)
    frame = packer.pack(data)
    assert frame is not None
    assert len(frame) < len(data)
    assert plain_size(frame) == size
    for other in (BlockPacker(None), BlockPacker("lz4"), packer):
        assert other.unpack(frame) == data
        assert other.unpack(memoryview(frame)) == data


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", [b"", b"x" * (LEAST_BYTES - 1), bytes(MOST_BYTES + 1), RANDOM, RANDOM[:700]])
def test_what_does_not_pay(name: CodecName, data: bytes) -> None:
    assert not BlockPacker(name).promises(data)
    assert BlockPacker(name).pack(data) is None


def test_less_than_a_page_saved_does_not_pay() -> None:
    data = RANDOM[: 3 * 4096 - 1000] + bytes(900)
    frame_bytes = len(codec_named("zstd").compress(data)) + 4
    assert frame_bytes < len(data)
    assert resting_bytes(frame_bytes) == resting_bytes(len(data))
    assert BlockPacker("zstd").pack(data) is None


def test_nothing_is_packed_without_a_codec() -> None:
    assert not BlockPacker(None).promises(bytes(5000))
    assert BlockPacker(None).pack(bytes(5000)) is None


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x01",
        b"\x00" + encode_varint(1000) + b"x",
        b"\x04" + encode_varint(1000) + b"x",
        b"\x01" + b"\xff" * 9,
        b"\x01" + encode_varint(1000),
        b"\x01" + encode_varint(MOST_BYTES + 1) + codec_named("zstd").compress(bytes(MOST_BYTES + 1)),
        b"\x01" + encode_varint(1 << 62) + codec_named("zstd").compress(bytes(1000)),
        b"\x01" + encode_varint(LEAST_BYTES - 1) + codec_named("zstd").compress(bytes(LEAST_BYTES - 1)),
        b"\x01" + encode_varint(1000) + codec_named("zstd").compress(bytes(MOST_BYTES)),
    ],
)
def test_frames_that_are_none(frame: bytes) -> None:
    with pytest.raises(IntegrityError):
        BlockPacker("zstd").unpack(frame)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_damage(data: bytes) -> None:
    try:
        plain = BlockPacker(None).unpack(data)
    except IntegrityError:
        return
    assert len(plain) == plain_size(data)


@pytest.mark.parametrize(
    ("size", "takes"),
    [(0, 0), (1, 1), (2000, 2000), (2001, 4096), (4080, 4096), (4081, 8192), (1 << 18, (1 << 18) + 4096)],
)
def test_what_a_value_takes(size: int, takes: int) -> None:
    assert resting_bytes(size) == takes
