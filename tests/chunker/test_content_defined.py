from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.chunker.content_defined import ContentDefinedChunker
from chiral.errors import UsageError

RULE = ContentDefinedChunker(1024, 4096, 16_384)
DATA = random.Random(7).randbytes(1 << 20)


def _pieces(data: bytes, step: int = 1 << 16) -> list[bytes]:
    splitter = RULE.splitter()
    pieces = [piece for at in range(0, len(data), step) for piece in splitter.feed(data[at : at + step])]
    return pieces + splitter.finish()


@given(st.integers(0, 200_000), st.integers(1, 100_000))
def test_the_pieces_are_the_same_however_the_bytes_arrive(size: int, step: int) -> None:
    whole = RULE.splitter()
    pieces = whole.feed(DATA[:size]) + whole.finish()
    assert _pieces(DATA[:size], step) == pieces
    assert b"".join(pieces) == DATA[:size]


def test_sizes_are_within_bounds_and_near_the_average() -> None:
    pieces = _pieces(DATA)
    assert all(RULE.least <= len(piece) <= RULE.most for piece in pieces[:-1])
    assert RULE.average / 2 < len(DATA) / len(pieces) < RULE.average * 2


def test_an_insertion_changes_only_what_is_near_it() -> None:
    before, after = set(_pieces(DATA)), set(_pieces(DATA[:500_000] + b"inserted" + DATA[500_000:]))
    assert len(after - before) <= 3


def test_bytes_that_are_all_alike_are_cut_at_the_most() -> None:
    assert {len(piece) for piece in _pieces(bytes(10 * RULE.most))} == {RULE.most}


def test_little_is_held_of_a_long_stream_and_a_buffer_may_be_reused() -> None:
    splitter, buffer = RULE.splitter(), bytearray(10_000)
    for _ in range(100):
        splitter.feed(buffer)
        buffer[:] = bytes(10_000)
        assert len(splitter._rest) < 2 * RULE.most
    assert splitter.finish()
    assert splitter.finish() == []


@pytest.mark.parametrize("sizes", [(0, 10, 20), (4096, 4096, 8192), (1024, 8192, 4096), (1024, 4096, 1 << 22)])
def test_sizes_that_cannot_be(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError):
        ContentDefinedChunker(*sizes)
