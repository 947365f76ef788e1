"""Cuts where it is told to: for bytes whose pieces are known already, when a file is to be built again as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GivenChunker:
    """Cuts pieces of these `sizes` in bytes, in this order; what comes after them is one more piece."""

    sizes: tuple[int, ...]

    @property
    def name(self) -> str:
        return "given"

    def for_size(self, size: int | None) -> GivenChunker:
        return self

    def splitter(self) -> GivenSplitter:
        return GivenSplitter(self.sizes)


class GivenSplitter:
    """Cuts one stream."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self._sizes = sizes
        self._left: Iterator[int] = iter(sizes)
        self._wanted = next(self._left, None)
        self._rest = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        self._rest += data
        pieces: list[bytes] = []
        at = 0
        while self._wanted is not None and len(self._rest) - at >= self._wanted:
            pieces.append(bytes(self._rest[at : at + self._wanted]))
            at += self._wanted
            self._wanted = next(self._left, None)
        del self._rest[:at]
        return pieces

    def finish(self) -> list[bytes]:
        last = [bytes(self._rest)] if self._rest else []
        self._rest.clear()
        self._left = iter(self._sizes)
        self._wanted = next(self._left, None)
        return last
