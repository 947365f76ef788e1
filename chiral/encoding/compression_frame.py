"""Blocks as they rest when compressed: which pay, and the frame that says how to undo it, with bounds.

A frame is one byte for the codec, the plain size as a varint, and what the codec made. Frames and plain blocks are kept
apart by whoever stores them: any bytes may be a plain block.
"""

from __future__ import annotations

from chiral.block.varint import VarintError, decode_varint, encode_varint
from chiral.encoding.compression import Codec, CodecName, Data, codec_named
from chiral.encoding.entropy import EntropyProbe
from chiral.errors import IntegrityError

LEAST_BYTES = 512
"""Smaller blocks are left alone."""
MOST_BYTES = 4 << 20
"""So are larger ones, and no frame may state more: what is unpacked is bounded."""
PAGE_BYTES = 4096
_CODES: dict[CodecName, int] = {"zstd": 1, "lz4": 2, "gzip": 3}
_NAMES = {code: name for name, code in _CODES.items()}
_IN_LEAF_BYTES = 2000
"""A value of more than about half a page lies in pages of its own; only whole ones are saved there."""


class BlockPacker:
    """Packs by codec `name` (None: nothing pays) and unpacks frames of all. For one thread at a time."""

    def __init__(self, name: CodecName | None, level: int = 0) -> None:
        self._codecs: dict[CodecName, Codec] = {}
        self._name = name
        if name is not None:
            self._codecs[name] = codec_named(name, level)
            # gzip's own trial would take ten times as long; zstd tells what it can do.
            self._probe = EntropyProbe(codec_named("lz4" if name == "lz4" else "zstd", 1))

    def promises(self, data: Data) -> bool:
        """Whether `pack` is worth trying: cheap."""
        return self._name is not None and LEAST_BYTES <= len(data) <= MOST_BYTES and self._probe.shrinks(data)

    def pack(self, data: Data) -> bytes | None:
        """The frame of `data`, or None where it takes as much room as the bytes themselves."""
        if self._name is None or not LEAST_BYTES <= len(data) <= MOST_BYTES:
            return None
        frame = bytes((_CODES[self._name],)) + encode_varint(len(data)) + self._codecs[self._name].compress(data)
        return frame if resting_bytes(len(frame)) < resting_bytes(len(data)) else None

    def unpack(self, frame: Data) -> bytes:
        """The plain bytes of a frame; raises `IntegrityError` if it is none or its content is not what it states."""
        name, size, start = _read(frame)
        codec = self._codecs.get(name)
        if codec is None:
            codec = self._codecs[name] = codec_named(name)
        return codec.decompress(memoryview(frame)[start:], size)


def plain_size(frame: Data) -> int:
    """The size of the plain bytes in a frame; raises `IntegrityError`."""
    return _read(frame)[1]


def resting_bytes(size: int) -> int:
    """About what a value of `size` bytes takes in the store: those of more than half a page take whole pages."""
    return size if size <= _IN_LEAF_BYTES else -(-(size + 16) // PAGE_BYTES) * PAGE_BYTES


def _read(frame: Data) -> tuple[CodecName, int, int]:
    """`(codec, plain size, where the content begins)`."""
    try:
        size, start = decode_varint(frame, 1)
        name = _NAMES[frame[0]]
    except (VarintError, KeyError, IndexError) as error:
        raise IntegrityError("compressed data is damaged: its frame cannot be read") from error
    if not LEAST_BYTES <= size <= MOST_BYTES:
        raise IntegrityError(f"compressed data is damaged: its frame states {size} bytes")
    return name, size, start
