"""Which chunks of a file hold a part of it, where its layout lists chunks without their sizes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Chunk `index` of a file, which begins at byte `start` and has `size` bytes."""

    index: int
    start: int
    size: int


def uniform_size(size: int, chunks: int, first: int, last: int) -> int | None:
    """The size of every chunk but the last, if `chunks` of them, of which the first and the last have these sizes, fit.

    None where they do not: then the chunks were cut by content, and only reading tells where one begins. The sizes of
    those in between are claimed by nobody; whoever reads some of them sees to it that they have this size too.
    """
    if chunks < 1 or first < 1 or last > first or first * (chunks - 1) + last != size:
        return None
    return first


def uniform_places(start: int, stop: int, size: int, chunk_bytes: int) -> list[ChunkPlace]:
    """The chunks that hold bytes `start` to before `stop`, at least one, of a file of `size` bytes cut evenly."""
    return [
        ChunkPlace(index, index * chunk_bytes, min(chunk_bytes, size - index * chunk_bytes))
        for index in range(start // chunk_bytes, -(-stop // chunk_bytes))
    ]


def known_places(start: int, stop: int, sizes: Sequence[int]) -> list[ChunkPlace]:
    """The chunks that hold those bytes, of a file whose chunks have these `sizes`."""
    places: list[ChunkPlace] = []
    at = 0
    for index, size in enumerate(sizes):
        if at >= stop:
            break
        if at + size > start:
            places.append(ChunkPlace(index, at, size))
        at += size
    return places
