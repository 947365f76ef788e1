"""Compresses and undoes it in whatever thread asks: each borrows a packer, for one serves one thread at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import trio

from chiral.block.block import Block
from chiral.encoding.compression import CodecName
from chiral.encoding.compression_frame import BlockPacker
from chiral.errors import IntegrityError

PROBED_INLINE_BLOCKS = 16
"""Probed in the event loop up to here (about 10 microseconds each): a thread hop costs more."""
PACKERS = 4
"""At work at once, each in a thread, and kept for the next time."""


class Packing:
    """Packs by codec `name`, None for none."""

    def __init__(self, name: CodecName | None, level: int) -> None:
        self._name = name
        self._level = level
        self._idle: deque[BlockPacker] = deque(maxlen=PACKERS)
        self._limiter = trio.CapacityLimiter(PACKERS)

    async def pack(self, blocks: Sequence[Block]) -> dict[int, bytes]:
        """The frames of those blocks that are smaller compressed, by index."""
        if self._name is None or not blocks:
            return {}
        if len(blocks) > PROBED_INLINE_BLOCKS:
            every = range(len(blocks))
            return await trio.to_thread.run_sync(self._pack, blocks, every, limiter=self._limiter)
        promising = self._promising(blocks)
        if not promising:
            return {}
        return await trio.to_thread.run_sync(self._pack, blocks, promising, limiter=self._limiter)

    def unpack(self, frame: bytes) -> bytes:
        """The plain bytes of a frame; raises `IntegrityError`. From any thread."""
        with self._packer() as packer:
            return packer.unpack(frame)

    def _promising(self, blocks: Sequence[Block]) -> list[int]:
        with self._packer() as packer:
            return [index for index, block in enumerate(blocks) if packer.promises(block.data)]

    def _pack(self, blocks: Sequence[Block], indices: Sequence[int]) -> dict[int, bytes]:
        with self._packer() as packer:
            promising = (index for index in indices if packer.promises(blocks[index].data))
            packed = ((index, packer.pack(blocks[index].data)) for index in promising)
            return {index: frame for index, frame in packed if frame is not None}

    @contextmanager
    def _packer(self) -> Iterator[BlockPacker]:
        try:
            packer = self._idle.pop()
        except IndexError:
            packer = BlockPacker(self._name, self._level)
        try:
            yield packer
        finally:
            self._idle.append(packer)


def require_matches(blocks: Sequence[Block]) -> None:
    """Raise `IntegrityError` for the first block that is not what its CID names. Hashes: call it in a thread."""
    for block in blocks:
        if not block.cid.matches(block.data):
            raise IntegrityError(f"what is to be stored as {block.cid} are other bytes", hint="it was not stored")
