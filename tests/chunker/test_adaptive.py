from __future__ import annotations

import pytest

from chiral.chunker.adaptive import AdaptiveChunker
from chiral.chunker.fixed import FixedChunker

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("size", "chunk"),
    [
        (None, 256 * KIB),
        (0, 256 * KIB),
        (512 * MIB, 256 * KIB),
        (512 * MIB + 1, 512 * KIB),
        (GIB, 512 * KIB),
        (GIB + 1, MIB),
        (1 << 50, MIB),
    ],
)
def test_the_size_of_pieces_follows_the_file(size: int | None, chunk: int) -> None:
    assert AdaptiveChunker().for_size(size) == FixedChunker(chunk)


def test_a_stream_is_cut_as_a_small_file() -> None:
    pieces = AdaptiveChunker().splitter().feed(bytes(600 * KIB))
    assert [len(piece) for piece in pieces] == [256 * KIB, 256 * KIB]
