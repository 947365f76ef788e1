"""The probe tells data that shrinks from data that does not, from little of it."""

from __future__ import annotations

import base64
import random
import zlib

import pytest

from chiral.encoding.compression import Codec, Data, codec_named
from chiral.encoding.entropy import PIECE_BYTES, PIECES, EntropyProbe

RANDOM = random.Random(3).randbytes(1 << 18)
WORDS = [f"word{number} " for number in range(2000)]
TEXT = "".join(random.Random(4).choices(WORDS, k=40_000)).encode()


class Counting:
    """A codec that remembers how much it was given."""

    def __init__(self, inner: Codec) -> None:
        self._inner = inner
        self.given = 0

    def compress(self, data: Data) -> bytes:
        self.given += len(data)
        return self._inner.compress(data)

    def decompress(self, data: Data, size: int) -> bytes:
        return self._inner.decompress(data, size)


@pytest.mark.parametrize(
    ("data", "shrinks"),
    [
        (RANDOM, False),
        (RANDOM[:600], False),
        (zlib.compress(TEXT * 3, 9), False),
        (TEXT, True),
        (TEXT[:600], True),
        (bytes(1 << 18), True),
        (base64.b64encode(RANDOM), True),
        (RANDOM[: 1 << 15] + TEXT, True),
    ],
    ids=[
        "random",
        "little random",
        "compressed",
        "text",
        "little text",
        "zeros",
        "base64",
        "text behind a random head",
    ],
)
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_what_shrinks(data: bytes, shrinks: bool, kind: type) -> None:
    assert EntropyProbe(codec_named("zstd", 1)).shrinks(kind(data)) is shrinks


def test_lz4_does_not_find_what_only_has_rare_bytes() -> None:
    assert not EntropyProbe(codec_named("lz4", 1)).shrinks(base64.b64encode(RANDOM))


@pytest.mark.parametrize("size", [PIECE_BYTES * PIECES + 1, 5000, 1 << 18])
def test_only_a_sample_is_tried(size: int) -> None:
    codec = Counting(codec_named("zstd", 1))
    EntropyProbe(codec).shrinks(RANDOM[:size])
    assert codec.given == PIECES * PIECE_BYTES
