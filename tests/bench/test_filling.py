"""Files to move: of the size asked for, the same for the same seed, and compressible or not as they are meant."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import pytest

from interop.bench import filling
from interop.bench.work import Data

BLOCK_BYTES = 256 * 1024
SIZES = [0, 1, 4 << 20, (4 << 20) + 3]


@pytest.mark.parametrize("data", list(Data))
@pytest.mark.parametrize("size", SIZES)
def test_size_and_hash_are_of_what_is_written(data: Data, size: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    sha256 = filling.write(path, size, data, "seed")
    assert path.stat().st_size == size
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    assert filling.timed_sha256_of(path)[1] == sha256


@pytest.mark.parametrize("pieces", [filling.random_pieces, filling.text_pieces])
def test_a_seed_determines_the_bytes(pieces: object) -> None:
    assert callable(pieces)
    one, again, other = (b"".join(pieces(100_000, seed)) for seed in ("1", "1", "2"))
    assert one == again
    assert one != other


def test_random_bytes_do_not_compress_and_text_does() -> None:
    size = 4 * BLOCK_BYTES
    random, text = (b"".join(pieces(size, "x")) for pieces in (filling.random_pieces, filling.text_pieces))
    assert len(zlib.compress(random)) > size * 0.99
    assert len(zlib.compress(text)) < size * 0.2


def test_no_two_blocks_of_text_are_the_same() -> None:
    text = b"".join(filling.text_pieces(8 * BLOCK_BYTES, "x"))
    assert len({text[start : start + BLOCK_BYTES] for start in range(0, len(text), BLOCK_BYTES)}) == 8


def test_small_files_are_small_and_differ(tmp_path: Path) -> None:
    paths = filling.write_small(tmp_path, 1200, "x")
    sizes = [path.stat().st_size for path in paths]
    assert (len(set(paths)), min(sizes) >= 1024, max(sizes) <= 4096) == (1200, True, True)
    assert len({path.read_bytes() for path in paths}) == 1200
    assert len({path.parent for path in paths}) == 2
