"""Files to move: random bytes that nothing compresses, text that compresses well, and many small ones."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from interop.bench.work import Data

_PIECE_BYTES = 4 << 20
_NONCE = bytes(16)
_SMALL_BYTES = (1024, 4096)
_FOLDER_FILES = 1000
_SENTENCE = "What is stored under its hash can be had from anybody, and nobody need be trusted for it.\n"


def random_pieces(size: int, seed: str) -> Iterator[bytes]:
    """`size` bytes that only `seed` determines: a ChaCha20 key stream, because that is the quickest there is here."""
    stream = Cipher(algorithms.ChaCha20(hashlib.sha256(seed.encode()).digest(), _NONCE), mode=None).encryptor()
    for start in range(0, size, _PIECE_BYTES):
        yield stream.update(bytes(min(_PIECE_BYTES, size - start)))


def text_pieces(size: int, seed: str) -> Iterator[bytes]:
    """`size` bytes of numbered sentences: no two blocks are the same, so that none is left out as known already."""
    left, number = size, 0
    while left > 0:
        lines = "".join(f"{seed} {n:012d} {_SENTENCE}" for n in range(number, number + 8192)).encode()[:left]
        number += 8192
        left -= len(lines)
        yield lines


def write(path: Path, size: int, data: Data, seed: str) -> str:
    """Write a file and return its SHA-256 in hexadecimal."""
    hasher = hashlib.sha256()
    with path.open("wb", buffering=0) as file:
        for piece in random_pieces(size, seed) if data is Data.RANDOM else text_pieces(size, seed):
            file.write(piece)
            hasher.update(piece)
    return hasher.hexdigest()


def write_small(folder: Path, count: int, seed: str) -> list[Path]:
    """Write `count` files of 1 to 4 KiB, a thousand to a directory."""
    low, high = _SMALL_BYTES
    source = b"".join(random_pieces(high * count, seed))
    paths = []
    for number in range(count):
        path = folder / f"{number // _FOLDER_FILES:03d}" / f"{number:06d}"
        path.parent.mkdir(exist_ok=True)
        size = low + number * 997 % (high - low + 1)
        path.write_bytes(source[number * high : number * high + size])
        paths.append(path)
    return paths


def timed_sha256_of(path: Path) -> tuple[float, str]:
    """CPU seconds it took to read and hash a file, and its SHA-256 in hexadecimal."""
    started = time.thread_time()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return time.thread_time() - started, digest
