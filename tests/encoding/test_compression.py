"""Every codec gives back what it was given, and never more than was stated."""

from __future__ import annotations

import random
import zlib

import lz4.block
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from chiral.encoding.compression import LEVELS, CodecName, codec_named
from chiral.errors import IntegrityError

NAMES: list[CodecName] = ["zstd", "lz4", "gzip"]
BOMB_BYTES = 64 << 20


def bomb(name: CodecName) -> bytes:
    """64 MiB of zeros, compressed as whoever wants to do harm would."""
    plain = bytes(BOMB_BYTES)
    makers = {
        "zstd": lambda: zstandard.ZstdCompressor(level=3, write_content_size=False).compress(plain),
        "lz4": lambda: lz4.block.compress(plain, store_size=False),
        "gzip": lambda: zlib.compress(plain, 9, wbits=31),
    }
    packed: bytes = makers[name]()
    return packed


@pytest.mark.parametrize("name", NAMES)
@given(data=st.one_of(st.binary(max_size=3000), st.binary(min_size=1, max_size=8).map(lambda part: part * 400)))
def test_round_trip(name: CodecName, data: bytes) -> None:
    codec = codec_named(name)
    packed = codec.compress(data)
    assert codec.decompress(packed, len(data)) == data
    assert codec.decompress(memoryview(packed), len(data)) == data


@pytest.mark.parametrize("name", NAMES)
def test_every_level(name: CodecName) -> None:
    data = b"the quick brown fox " * 500 + random.Random(1).randbytes(500)
    sizes = []
    for level in range(LEVELS[name][0], LEVELS[name][1] + 1):
        packed = codec_named(name, level).compress(data)
        assert codec_named(name).decompress(packed, len(data)) == data
        sizes.append(len(packed))
    assert sizes[-1] <= sizes[0] < len(data)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
@pytest.mark.parametrize("name", NAMES)
def test_any_buffer(name: CodecName, kind: type) -> None:
    codec = codec_named(name)
    assert codec.decompress(codec.compress(kind(b"some bytes" * 9)), 90) == b"some bytes" * 9


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stated", [0, 1, 999, 1001, 4 << 20])
def test_another_size_than_stated(name: CodecName, stated: int) -> None:
    packed = codec_named(name).compress(b"x" * 1000)
    with pytest.raises(IntegrityError, match=name):
        codec_named(name).decompress(packed, stated)


@pytest.mark.parametrize("name", NAMES)
def test_a_bomb_is_not_unpacked(name: CodecName, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IntegrityError):
        codec_named(name).decompress(bomb(name), 1 << 20)


def test_a_zstd_frame_that_states_a_size_of_its_own() -> None:
    packed = zstandard.ZstdCompressor(write_content_size=True).compress(bytes(1 << 20))
    with pytest.raises(IntegrityError, match="states a size"):
        codec_named("zstd").decompress(packed, 1 << 20)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=200), size=st.integers(0, 1000))
def test_anything_else_is_damage(name: CodecName, data: bytes, size: int) -> None:
    try:
        plain = codec_named(name).decompress(data, size)
    except IntegrityError:
        return
    assert len(plain) == size


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [1, 10, -1])
def test_cut_and_continued_data(name: CodecName, cut: int) -> None:
    codec = codec_named(name)
    plain = random.Random(2).randbytes(300) * 3
    packed = codec.compress(plain)
    with pytest.raises(IntegrityError):
        codec.decompress(packed[:cut], len(plain))
    with pytest.raises(IntegrityError):
        codec.decompress(packed + b"tail", len(plain))
