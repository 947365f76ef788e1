"""The compression codecs by their names, zstd, lz4 and gzip: one interface that never makes more than was stated.

A codec object holds working memory and serves one thread at a time.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Literal, Protocol

import lz4.block
import zstandard

from chiral.errors import IntegrityError

Data = bytes | bytearray | memoryview
CodecName = Literal["zstd", "lz4", "gzip"]
LEVELS: dict[CodecName, tuple[int, int]] = {"zstd": (1, 19), "lz4": (1, 12), "gzip": (1, 9)}
"""The levels of each, from fastest to smallest; 0 stands for the one chosen here."""
_DEFAULT_LEVELS: dict[CodecName, int] = {"zstd": 1, "lz4": 1, "gzip": 6}
_MAX_WINDOW_BYTES = 8 << 20
"""Memory that a zstd frame may ask for, whatever it says; level 19 asks for as much."""
_LZ4_HIGH_LEVEL = 3


class Codec(Protocol):
    """Compresses and undoes it."""

    def compress(self, data: Data) -> bytes: ...

    def decompress(self, data: Data, size: int) -> bytes:
        """The plain bytes, which are `size`; raises `IntegrityError` if they are not, without making more of them."""
        ...


def codec_named(name: CodecName, level: int = 0) -> Codec:
    """The codec `name` at `level` (`LEVELS`; 0: the default)."""
    makers: dict[CodecName, Callable[[int], Codec]] = {"zstd": ZstdCodec, "lz4": Lz4Codec, "gzip": GzipCodec}
    return makers[name](level or _DEFAULT_LEVELS[name])


class ZstdCodec:
    """Zstandard frames (RFC 8878) that state no size: the caller knows it."""

    def __init__(self, level: int) -> None:
        self._compressor = zstandard.ZstdCompressor(level=level, write_content_size=False)
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)

    def compress(self, data: Data) -> bytes:
        return self._compressor.compress(data)

    def decompress(self, data: Data, size: int) -> bytes:
        try:
            # The library believes a size that a frame states before the limit it is given.
            if zstandard.frame_content_size(data) != -1:
                raise _damaged("zstd", "states a size")
            plain = self._decompressor.decompress(data, max_output_size=max(size, 1), allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise _damaged("zstd", str(error)) from error
        return _exactly(size, plain, "zstd")


class Lz4Codec:
    """LZ4 blocks without a size; from level 3 the slower compressor, which finds more."""

    def __init__(self, level: int) -> None:
        self._level = level

    def compress(self, data: Data) -> bytes:
        if self._level < _LZ4_HIGH_LEVEL:
            packed: bytes = lz4.block.compress(data, store_size=False)
        else:
            packed = lz4.block.compress(data, mode="high_compression", compression=self._level, store_size=False)
        return packed

    def decompress(self, data: Data, size: int) -> bytes:
        try:
            plain: bytes = lz4.block.decompress(data, uncompressed_size=size)
        except (lz4.block.LZ4BlockError, ValueError) as error:
            raise _damaged("lz4", str(error)) from error
        return _exactly(size, plain, "lz4")


class GzipCodec:
    """DEFLATE with a gzip header (RFC 1952)."""

    _WBITS = 31

    def __init__(self, level: int) -> None:
        self._level = level

    def compress(self, data: Data) -> bytes:
        return zlib.compress(data, self._level, wbits=self._WBITS)

    def decompress(self, data: Data, size: int) -> bytes:
        machine = zlib.decompressobj(wbits=self._WBITS)
        try:
            plain = machine.decompress(data, size + 1)
        except zlib.error as error:
            raise _damaged("gzip", str(error)) from error
        if len(plain) <= size and (not machine.eof or machine.unused_data):
            raise _damaged("gzip", "ends short or goes on")
        return _exactly(size, plain, "gzip")


def _exactly(size: int, plain: bytes, name: str) -> bytes:
    if len(plain) != size:
        raise _damaged(name, f"does not hold {size} bytes")
    return plain


def _damaged(name: str, why: str) -> IntegrityError:
    return IntegrityError(f"compressed data is damaged: {name}: {why}")
