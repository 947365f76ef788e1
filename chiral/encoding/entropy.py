"""Whether bytes are worth compressing, told from a small sample: trying all of what does not shrink costs too much.

Random, encrypted and already compressed data look alike everywhere, so a few pieces stand for the whole. What repeats
only over distances longer than a piece is taken for such data: that is what cutting by content and deduplication find.
"""

from __future__ import annotations

from chiral.encoding.compression import Codec, Data

PIECES = 4
PIECE_BYTES = 1024
SAVES_AT_LEAST = 1 / 16
"""What of the sample has to go for the rest to be tried."""


class EntropyProbe:
    """Tries `codec` on pieces of what is asked about. For one thread at a time."""

    def __init__(self, codec: Codec, *, pieces: int = PIECES, piece_bytes: int = PIECE_BYTES) -> None:
        self._codec = codec
        self._pieces = pieces
        self._piece_bytes = piece_bytes

    def shrinks(self, data: Data) -> bool:
        """Whether a sample of `data` does."""
        sample = self._sample(data)
        return len(self._codec.compress(sample)) <= len(sample) * (1 - SAVES_AT_LEAST)

    def _sample(self, data: Data) -> Data:
        """Pieces from the middle of equal parts: headers at the beginning say little of the rest."""
        size = len(data)
        if size <= self._pieces * self._piece_bytes:
            return data
        part = size // self._pieces
        first = (part - self._piece_bytes) // 2
        starts = range(first, first + part * self._pieces, part)
        return b"".join(data[start : start + self._piece_bytes] for start in starts)
