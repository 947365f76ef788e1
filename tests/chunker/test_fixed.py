from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID
from chiral.chunker.fixed import DEFAULT_CHUNK_BYTES, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, FixedChunker, FixedSplitter
from chiral.errors import UsageError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rust-blocks-1.0.0.json").read_text())


@given(st.integers(1, 40), st.lists(st.binary(max_size=100), max_size=20))
def test_the_pieces_are_the_same_however_the_bytes_arrive(size: int, parts: list[bytes]) -> None:
    splitter, whole = FixedSplitter(size), b"".join(parts)
    pieces: list[bytes] = []
    fed = 0
    for part in parts:
        pieces += splitter.feed(part)
        fed += len(part)
        assert all(len(piece) == size for piece in pieces)
        assert len(pieces) == fed // size
    pieces += splitter.finish()
    assert pieces == [whole[at : at + size] for at in range(0, len(whole), size)]


@pytest.mark.parametrize("length", [0, 1, 262_143, 262_144, 262_145, 524_288, 614_400])
def test_edges_of_the_default(length: int) -> None:
    splitter = FixedChunker().splitter()
    pieces = splitter.feed(bytes(length)) + splitter.finish()
    assert [len(piece) for piece in pieces] == [262_144] * (length // 262_144) + [length % 262_144] * (
        length % 262_144 > 0
    )


def test_the_vector_file() -> None:
    vector = VECTORS["file"]
    data = bytes((i * 31 + 7) % 251 for i in range(vector["size"]))
    splitter = FixedChunker().splitter()
    pieces = [piece for at in range(0, len(data), 65_536) for piece in splitter.feed(data[at : at + 65_536])]
    pieces += splitter.finish()
    assert [len(piece) for piece in pieces] == vector["chunk_sizes"]
    assert [str(CID.of(piece)) for piece in pieces] == vector["chunk_cids"]


def test_a_buffer_may_be_reused() -> None:
    splitter, buffer = FixedSplitter(4), bytearray(b"abcdefgh")
    pieces = splitter.feed(memoryview(buffer)[:7])
    buffer[:] = b"ijklmnop"
    pieces += splitter.feed(buffer)
    buffer[:] = bytes(8)
    assert pieces + splitter.finish() == [b"abcd", b"efgi", b"jklm", b"nop"]
    buffer.extend(b"no view of it is kept")


def test_whole_pieces_are_not_copied() -> None:
    splitter, piece = FixedSplitter(1024), bytes(1024)
    assert splitter.feed(piece)[0] is piece


def test_after_the_end_it_is_as_new() -> None:
    splitter = FixedSplitter(4)
    assert splitter.feed(b"abc") == []
    assert splitter.finish() == [b"abc"]
    assert splitter.finish() == []
    assert splitter.feed(b"defg") == [b"defg"]


def test_little_is_held_of_a_long_stream() -> None:
    splitter = FixedSplitter(1024)
    for _ in range(1000):
        splitter.feed(bytes(1000))
        assert len(splitter._rest) < 1024


@pytest.mark.parametrize("size", [MIN_CHUNK_BYTES, DEFAULT_CHUNK_BYTES, MAX_CHUNK_BYTES])
def test_sizes_in_range(size: int) -> None:
    assert FixedChunker(size).name == f"size-{size}"


@pytest.mark.parametrize("size", [-1, 0, 1023, MAX_CHUNK_BYTES + 1])
def test_sizes_out_of_range(size: int) -> None:
    with pytest.raises(UsageError, match="out of range"):
        FixedChunker(size)
