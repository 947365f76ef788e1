"""Whence a reader has a file's blocks: from the store, or some from there and the others from peers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trio

from chiral.block.cid import CID
from chiral.errors import IntegrityError
from chiral.interface.blockstore import Blockstore
from chiral.transfer.fetch import BlockFetch

BATCH_BLOCKS = 16
Piece = bytes | memoryview


class Supply(Protocol):
    """Verified blocks of one file, by their index in it."""

    @property
    def providers(self) -> int:
        """How many peers have brought blocks so far."""
        ...

    async def batch(self, index: int) -> list[Piece]:
        """Blocks from `index` on, at least that one, once they are here."""
        ...


class OneBlock:
    """A block that is in memory and verified; `providers` is 1 if it came from a peer."""

    def __init__(self, data: bytes, *, providers: int) -> None:
        self._data = data
        self.providers = providers

    async def batch(self, index: int) -> list[Piece]:
        await trio.lowlevel.checkpoint()
        return [self._data]


class HeldBlocks:
    """Blocks in the store, each held against its CID: one that rotted on the disk must not pass into a file."""

    providers = 0

    def __init__(self, cids: Sequence[CID], store: Blockstore) -> None:
        self._cids = cids
        self._store = store

    async def batch(self, index: int) -> list[Piece]:
        return await self.between(index, index + BATCH_BLOCKS)

    async def between(self, start: int, end: int) -> list[Piece]:
        """Blocks `start` to before `end`. Raises `IntegrityError` for one that is damaged or gone."""
        cids = self._cids[start:end]
        blocks = await self._store.get_many(cids)
        return await trio.to_thread.run_sync(_sound, cids, blocks)


class FetchedBlocks:
    """Blocks that a fetch brings, and those that were here before it."""

    def __init__(self, fetch: BlockFetch, held: HeldBlocks) -> None:
        self._fetch = fetch
        self._held = held

    @property
    def providers(self) -> int:
        return self._fetch.providers

    async def batch(self, index: int) -> list[Piece]:
        if self._fetch.wants(index):
            return [*await self._fetch.take(index, BATCH_BLOCKS)]
        end = index + 1
        while end < index + BATCH_BLOCKS and not self._fetch.wants(end):
            end += 1
        return await self._held.between(index, end)


class ScatteredBlocks:
    """Single blocks of those that a fetch brings or that are here, whatever lies between them."""

    def __init__(self, fetch: BlockFetch | None, held: HeldBlocks) -> None:
        self._fetch = fetch
        self._held = held

    @property
    def providers(self) -> int:
        return 0 if self._fetch is None else self._fetch.providers

    async def batch(self, index: int) -> list[Piece]:
        if self._fetch is not None and self._fetch.wants(index):
            return [*await self._fetch.take(index, 1)]
        return await self._held.between(index, index + 1)


def _sound(cids: Sequence[CID], blocks: Sequence[bytes | None]) -> list[Piece]:
    sound: list[Piece] = []
    for cid, data in zip(cids, blocks, strict=True):
        if data is None or not cid.matches(data):
            what = "is gone from" if data is None else "is damaged in"
            raise IntegrityError(f"block {cid} {what} the local store", hint="remove the file and get it again")
        sound.append(data)
    return sound
