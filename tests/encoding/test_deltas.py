from __future__ import annotations

import json
import random
import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID
from chiral.encoding import deltas
from chiral.encoding.deltas import Delta, apply_patch, make_patch
from chiral.errors import MalformedContentError, TooLargeError

BASE, TARGET = CID.of(b"base"), CID.of(b"target")
MAGIC = b"chiral delta 1\n"


def delta(size: int, chunk_sizes: tuple[int, ...], patch: bytes = b"patch") -> Delta:
    return Delta(BASE, TARGET, "näme.txt", size, chunk_sizes, patch)


def with_header(header: object) -> bytes:
    encoded = json.dumps(header).encode()
    return MAGIC + struct.pack(">I", len(encoded)) + encoded + b"patch"


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_a_patch_makes_the_target_of_the_base(base: bytes, target: bytes) -> None:
    assert apply_patch(base, make_patch(base, target), len(target)) == target


def test_a_patch_is_as_small_as_what_changed() -> None:
    base = random.Random(1).randbytes(2 << 20)
    target = base[: 1 << 20] + b"something in between" + base[1 << 20 :] + b"and at the end"
    patch = make_patch(base, target)
    assert len(patch) < 500
    assert apply_patch(base, patch, len(target)) == target


@given(st.binary(max_size=200))
def test_what_is_no_patch_is_refused(patch: bytes) -> None:
    with pytest.raises(MalformedContentError):
        apply_patch(b"base" * 100, patch, 100)


def test_a_patch_to_another_size_than_promised_is_refused() -> None:
    patch = make_patch(b"base", b"target" * 100)
    for size in (0, 599, 601, deltas.MAX_FILE_BYTES + 1):
        with pytest.raises(MalformedContentError):
            apply_patch(b"base", patch, size)


def test_a_patch_that_swells_makes_no_more_than_promised() -> None:
    bombs = [zstandard.ZstdCompressor(write_content_size=size).compress(bytes(1 << 28)) for size in (False, True)]
    for bomb in bombs:
        with pytest.raises(MalformedContentError):
            apply_patch(b"", bomb, 1000)
    fine = zstandard.ZstdCompressor().compress(bytes(1000))
    assert apply_patch(b"", fine, 1000) == bytes(1000)
    for more in (fine + bombs[0], fine + b"more", fine[:-1]):
        with pytest.raises(MalformedContentError):
            apply_patch(b"", more, 1000)


def test_a_patch_that_asks_for_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=30)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    greedy = compressor.compress(bytes(1000)) + compressor.flush()
    with pytest.raises(MalformedContentError):
        apply_patch(b"", greedy, 1000)


def test_files_over_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "MAX_FILE_BYTES", 1000)
    assert make_patch(bytes(1000), bytes(1000))
    with pytest.raises(TooLargeError, match="chunker cdc"):
        make_patch(bytes(1001), b"")
    with pytest.raises(TooLargeError):
        make_patch(b"", bytes(1001))


@pytest.mark.parametrize("sizes", [(), (5,), (262144, 262144, 262144, 7), (1, 2, 3)])
def test_a_delta_is_read_as_it_was_written(sizes: tuple[int, ...]) -> None:
    made = delta(sum(sizes), sizes)
    assert Delta.decode(made.encode()) == made


def test_the_same_sizes_take_no_room() -> None:
    sizes = (256 << 10,) * 256
    assert len(delta(sum(sizes), sizes).encode()) < 400


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAGIC,
        b"chiral delta 2\n" + bytes(100),
        MAGIC + struct.pack(">I", 100) + b"{}",
        MAGIC + struct.pack(">I", (1 << 32) - 1) + b"{}",
        with_header([]),
        with_header({}),
        with_header({"base": "no", "target": str(TARGET), "name": "", "size": 0, "chunks": []}),
    ],
)
def test_what_is_no_delta(data: bytes) -> None:
    with pytest.raises(MalformedContentError):
        Delta.decode(data)


@pytest.mark.parametrize(
    ("size", "chunks"),
    [
        (-1, []),
        (1, []),
        (5, [[2, 2]]),
        (4, [[0, 4]]),
        (4, [[-4, -1]]),
        (4, [[4, -1]]),
        (4, [["4", {}]]),
        ((64 << 20) + 1, [[1, (64 << 20) + 1]]),
        (3 << 20, [[3 << 20, 1]]),
        (4, [[4, 1 << 40]]),
        (4, 7),
    ],
)
def test_chunks_that_are_not_the_target(size: int, chunks: object) -> None:
    header = {"base": str(BASE), "target": str(TARGET), "name": "x", "size": size, "chunks": chunks}
    with pytest.raises(MalformedContentError):
        Delta.decode(with_header(header))


@given(st.binary(max_size=300))
def test_no_bytes_do_harm(data: bytes) -> None:
    for attempt in (data, MAGIC + data):
        with pytest.raises(MalformedContentError):
            Delta.decode(attempt)
