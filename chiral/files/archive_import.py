"""Takes in the blocks of an archive as it comes: each held against its CID, those not here before stored in batches.

Nothing enters the catalogue here. Of an archive that turns out damaged the sound blocks before the damage stay: they
are what their CIDs name, wherever they came from.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.car.reader import CarReader
from chiral.errors import ChiralError, IntegrityError, sole_error
from chiral.files.results import Progress
from chiral.interface.blockstore import Blockstore
from chiral.pinning.links import is_inline

_BATCHES_AHEAD = 1
_BATCH_BLOCKS = 4096
"""Of small ones a piece of the archive may hold ten times as many."""
_BATCHES_AT_ONCE = 3
"""Two are hashed while one is written; what waits meanwhile shares the next sync to the disk."""

Touch = Callable[[Iterable[bytes]], None]
"""Told the multihashes of blocks that are here already and are relied on from now on."""


class ArchiveImport:
    """One import. `blocks` were met, of which `new` were stored and `known` were here already."""

    def __init__(self, store: Blockstore, touch: Touch, *, max_block_bytes: int) -> None:
        self._store = store
        self._touch = touch
        self._reader = CarReader(max_block_bytes=max_block_bytes)
        self._fault: ChiralError | None = None
        self.blocks = self.new = self.known = 0
        self.size = 0
        """Bytes of the archive read so far."""

    @property
    def version(self) -> int:
        return self._reader.version

    @property
    def roots(self) -> tuple[CID, ...]:
        """What the archive's header names; each once."""
        return tuple(dict.fromkeys(self._reader.roots or ()))

    async def run(
        self, pieces: AsyncGenerator[bytes, None], total: int | None = None, progress: Progress | None = None
    ) -> None:
        """Take in all of the archive, of `total` bytes as far as known.

        Raises `MalformedContentError` for what is no archive or a damaged one, `IntegrityError` for a block that is not
        what its CID names, `InvalidCidError` for one that cannot be verified, `StoreError`, and what `pieces` raises.
        """
        send, receive = trio.open_memory_channel[list[Block]](_BATCHES_AHEAD)
        with sole_error():
            async with receive, trio.open_nursery() as nursery:
                nursery.start_soon(self._read, pieces, send, total, progress)
                for _ in range(_BATCHES_AT_ONCE):
                    nursery.start_soon(self._take_all, receive)
        if self._fault is not None:
            raise self._told(self._fault)

    async def _read(
        self,
        pieces: AsyncGenerator[bytes, None],
        send: trio.MemorySendChannel[list[Block]],
        total: int | None,
        progress: Progress | None,
    ) -> None:
        async with send, aclosing(pieces):
            try:
                async for piece in pieces:
                    blocks = await trio.to_thread.run_sync(self._parse, piece)
                    for start in range(0, len(blocks), _BATCH_BLOCKS):
                        await send.send(blocks[start : start + _BATCH_BLOCKS])
                    self.size += len(piece)
                    if progress is not None:
                        progress(self.size, total)
                    if self._fault is not None:
                        return
                self._reader.finish()
            except ChiralError as error:  # what came before it is to be stored all the same
                self._fault = self._fault or error

    def _parse(self, piece: bytes) -> list[Block]:
        blocks: list[Block] = []
        try:
            for block in self._reader.feed(piece):
                blocks.append(block)  # one by one: those before damage are kept
        except ChiralError as error:
            self._fault = error
        return blocks

    async def _take_all(self, receive: trio.MemoryReceiveChannel[list[Block]]) -> None:
        async for batch in receive:
            await self._take(batch)

    async def _take(self, batch: Sequence[Block]) -> None:
        self.blocks += len(batch)
        by_hash = {block.cid.multihash: block for block in batch if not is_inline(block.cid)}
        self._touch(by_hash)
        unique = list(by_hash.values())
        held = await self._store.has_many([block.cid for block in unique])
        unheld = [block for block, here in zip(unique, held, strict=True) if not here]
        sound, fault = await trio.to_thread.run_sync(_verify, unheld)
        new = await self._store.put_many(sound) if sound else 0
        self.new += new
        self.known += len(batch) - len(unheld) + len(sound) - new
        if fault is not None:
            self._fault = self._fault or fault

    def _told(self, fault: ChiralError) -> ChiralError:
        kept = self.new + self.known
        again = "import it again when it is whole: what is here is passed over"
        return type(fault)(f"{fault.message}; {kept} sound blocks of the archive are kept", hint=fault.hint or again)


def _verify(blocks: Sequence[Block]) -> tuple[list[Block], ChiralError | None]:
    """Those that are what their CIDs name, up to the first that is not, and what is wrong with that."""
    for index, block in enumerate(blocks):
        try:
            if not block.cid.matches(block.data):
                raise IntegrityError(f"the archive has other bytes under {block.cid} than that names")
        except ChiralError as error:
            return list(blocks[:index]), error
    return list(blocks), None
