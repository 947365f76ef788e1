"""Deltas: from the bytes of one version and a delta the next is rebuilt. Decides nothing of where either is kept.

The target is compressed with the base standing before it (zstd's "patch from", with long-distance matching), so what
both have in common is told by its place: a hundred edits in 60 MiB come to 9 KB, in 0.3 s and 30 MiB beside the files.
bsdiff's deltas of small files are a tenth smaller; for large ones it takes a GiB. A delta says of which base it is,
and how the target is cut into chunks, so that whoever rebuilds it gets the very blocks that its CIDs name and can hold
them against the target's root.
"""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import dataclass
from itertools import groupby
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from chiral.block.cid import CID
from chiral.errors import ChiralError, MalformedContentError, TooLargeError

MAX_FILE_BYTES = 64 << 20
"""Of base and target each: both are in memory, and zstd's tables for them."""
MAX_DELTA_BYTES = MAX_FILE_BYTES + (8 << 20)
_MAGIC = b"chiral delta 1\n"
_LENGTH = struct.Struct(">I")
_MAX_HEADER_BYTES = 4 << 20
_MAX_CHUNK_BYTES = 2 << 20
_MAX_NAME_CHARS = 1024
_LEVEL = 9
_MIN_WINDOW_LOG = 20
_MAX_WINDOW_LOG = 27
"""128 MiB: base and target lie in it together. More memory no delta may ask for."""
_MIN_PREFIX_BYTES = 8


@dataclass(frozen=True, slots=True)
class Delta:
    """From the file `base` to the file `target`, both Chiral roots. `size` and `chunk_sizes` are the target's."""

    base: CID
    target: CID
    name: str
    size: int
    chunk_sizes: tuple[int, ...]
    patch: bytes

    def encode(self) -> bytes:
        """The delta as the content of a file of its own."""
        header = {
            "base": str(self.base),
            "target": str(self.target),
            "name": self.name,
            "size": self.size,
            "chunks": [[size, len(list(run))] for size, run in groupby(self.chunk_sizes)],
        }
        encoded = json.dumps(header, separators=(",", ":")).encode()
        return _MAGIC + _LENGTH.pack(len(encoded)) + encoded + self.patch

    @classmethod
    def decode(cls, data: bytes) -> Delta:
        """The delta in `data`; raises `MalformedContentError` if it is none, or one over the limits."""
        start = len(_MAGIC) + _LENGTH.size
        if not data.startswith(_MAGIC) or len(data) < start:
            raise MalformedContentError("this is not a delta")
        length = int(_LENGTH.unpack_from(data, len(_MAGIC))[0])
        if length > _MAX_HEADER_BYTES or start + length > len(data):
            raise MalformedContentError("a delta whose header ends short, or is too long")
        try:
            return _read(json.loads(data[start : start + length]), data[start + length :])
        except (ValueError, KeyError, TypeError, RecursionError, ChiralError) as error:
            raise MalformedContentError(f"a delta whose header cannot be read: {error}"[:200]) from error


def make_patch(base: bytes, target: bytes) -> bytes:
    """What turns `base` into `target`; raises `TooLargeError` for files over 64 MiB."""
    if max(len(base), len(target)) > MAX_FILE_BYTES:
        raise TooLargeError(
            f"a delta is made between files of at most {MAX_FILE_BYTES >> 20} MiB",
            hint="versions of larger files share their chunks: add them with '--chunker cdc'",
        )
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: _LEVEL,
        zstd.CompressionParameter.window_log: max(_MIN_WINDOW_LOG, (len(base) + len(target)).bit_length()),
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    return zstd.compress(target, options=options, zstd_dict=_prefix(base))


def apply_patch(base: bytes, patch: bytes, size: int) -> bytes:
    """The target of `size` bytes that `patch` makes of `base`; raises `MalformedContentError` if it makes another."""
    if not 0 <= size <= MAX_FILE_BYTES:
        raise MalformedContentError(f"a delta to a file of {size} bytes")
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
    expander = zstd.ZstdDecompressor(_prefix(base), options)
    try:
        target = expander.decompress(patch, max_length=size + 1)
    except zstd.ZstdError as error:
        raise MalformedContentError(f"a delta that does not fit its base: {error}"[:200]) from error
    if len(target) != size or not expander.eof or expander.unused_data:
        raise MalformedContentError("a delta that makes a file of another size than it says")
    return target


def _prefix(base: bytes) -> tuple[zstd.ZstdDict, int] | None:
    """`base` as what stands before the target; the library takes none of fewer than eight bytes."""
    return zstd.ZstdDict(base, is_raw=True).as_prefix if len(base) >= _MIN_PREFIX_BYTES else None


def _read(header: Any, patch: bytes) -> Delta:
    size = int(header["size"])
    if not 0 <= size <= MAX_FILE_BYTES:
        raise ValueError("a file of that size")
    return Delta(
        CID.parse(header["base"]),
        CID.parse(header["target"]),
        str(header["name"])[:_MAX_NAME_CHARS],
        size,
        _chunk_sizes(header["chunks"], size),
        patch,
    )


def _chunk_sizes(runs: Any, size: int) -> tuple[int, ...]:
    """The sizes that `[size, count]` each of `runs` stand for, which come to `size`."""
    sizes: list[int] = []
    left = size
    for run in runs:
        chunk, count = int(run[0]), int(run[1])
        if not (0 < chunk <= _MAX_CHUNK_BYTES and 0 < count <= left // chunk):
            raise ValueError("chunks that do not fit")
        left -= chunk * count
        sizes += [chunk] * count
    if left:
        raise ValueError("chunks that are not the whole")
    return tuple(sizes)
