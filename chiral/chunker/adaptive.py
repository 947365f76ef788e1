"""Pieces of one size, chosen by how large the file is: fewer blocks to find and ask for where there would be many."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.chunker.fixed import DEFAULT_CHUNK_BYTES, FixedChunker, FixedSplitter

MAX_ADAPTIVE_BYTES = 1 << 20
PROMOTED_BLOCKS = 2048
"""A file of more pieces than this has its pieces doubled, until there are no more or they are as large as they get."""


@dataclass(frozen=True, slots=True)
class AdaptiveChunker:
    """256 KiB up to 512 MiB, 512 KiB up to 1 GiB, above that 1 MiB (seeds 000 and 003).

    A stream whose length nobody knows is cut as a small file is: a size that changed on the way would give the same
    bytes other names.
    """

    @property
    def name(self) -> str:
        return "adaptive"

    def for_size(self, size: int | None) -> FixedChunker:
        """The rule for a file of `size` bytes."""
        chunk = DEFAULT_CHUNK_BYTES
        while size is not None and chunk < MAX_ADAPTIVE_BYTES and size > chunk * PROMOTED_BLOCKS:
            chunk *= 2
        return FixedChunker(chunk)

    def splitter(self) -> FixedSplitter:
        return self.for_size(None).splitter()
