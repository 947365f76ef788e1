"""Pieces whose ends depend on the bytes around them (FastCDC), so that an insertion changes only what is near it.

Source: Xia et al., "FastCDC" (2016), in the version of 2020; the cutting itself is the library's (`fastcdc`).
"""

from __future__ import annotations

from dataclasses import dataclass

from fastcdc.fastcdc_cy import fastcdc_cy

from chiral.chunker.fixed import MAX_CHUNK_BYTES, MIN_CHUNK_BYTES
from chiral.errors import UsageError

DEFAULT_AVERAGE_BYTES = 256 << 10
_SPREAD = 4
"""By default a piece has at least a quarter of the average and at most four times as much."""


@dataclass(frozen=True, slots=True)
class ContentDefinedChunker:
    """Pieces of `average` bytes, never under `least` (but for the last) nor over `most`; raises `UsageError`."""

    least: int = DEFAULT_AVERAGE_BYTES // _SPREAD
    average: int = DEFAULT_AVERAGE_BYTES
    most: int = DEFAULT_AVERAGE_BYTES * _SPREAD

    def __post_init__(self) -> None:
        if not MIN_CHUNK_BYTES <= self.least < self.average < self.most <= MAX_CHUNK_BYTES:
            raise UsageError(
                f"pieces of {self.least}, {self.average} and {self.most} bytes cannot be cut",
                hint=f"give least < average < most within {MIN_CHUNK_BYTES} to {MAX_CHUNK_BYTES}",
            )

    @property
    def name(self) -> str:
        return f"cdc-{self.least}-{self.average}-{self.most}"

    def for_size(self, size: int | None) -> ContentDefinedChunker:
        return self

    def splitter(self) -> ContentDefinedSplitter:
        return ContentDefinedSplitter(self)


class ContentDefinedSplitter:
    """Cuts one stream. A piece is given out once its end is certain: when it is not merely the end of what has come."""

    def __init__(self, rule: ContentDefinedChunker) -> None:
        self._rule = rule
        self._rest = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """As every splitter; what is left is searched again with what comes next, so the more at once the better."""
        self._rest += data
        return self._cut(at_end=False) if len(self._rest) >= self._rule.most else []

    def finish(self) -> list[bytes]:
        return self._cut(at_end=True)

    def _cut(self, *, at_end: bool) -> list[bytes]:
        """The pieces of what is here, but for a last one whose end may lie further on."""
        rule = self._rule
        pieces: list[bytes] = []
        taken = 0
        with memoryview(self._rest) as rest:
            for cut in fastcdc_cy(rest, rule.least, rule.average, rule.most, fat=False, hf=None) if rest else ():
                end = cut.offset + cut.length
                if end == len(rest) and cut.length < rule.most and not at_end:
                    break
                pieces.append(bytes(rest[cut.offset : end]))
                taken = end
        del self._rest[:taken]
        return pieces
