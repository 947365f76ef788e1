"""Adding: bytes become blocks, a manifest and a catalogue entry. Reading and hashing overlap with writing.

Memory stays flat: at most a few batches are on their way, however long the source is. Nothing is in the catalogue
before every block is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.chunker.splitter import Chunker
from chiral.clock import Clock
from chiral.dag.file_info import FileInfo
from chiral.errors import FileAccessError, sole_error
from chiral.files.results import FileAdded, Progress
from chiral.files.shelf import Shelf
from chiral.files.source import Source, read_small

_BATCHES_AHEAD = 1
_WRITES_AT_ONCE = 3
"""While one batch is synced to the disk the next ones gather in the writer's queue and share the next sync."""


@dataclass(slots=True)
class _Tally:
    """What an add has come to so far; `cids` and `size` of what was read, the others of what is stored."""

    cids: list[CID] = field(default_factory=list)
    size: int = 0
    stored_bytes: int = 0
    new_blocks: int = 0


@dataclass(frozen=True, slots=True)
class _SmallFile:
    """A file that is in memory whole."""

    blocks: list[Block]
    info: FileInfo
    manifest: bytes

    def added(self, new_blocks: int) -> FileAdded:
        info = self.info
        return FileAdded(info.root_cid, None, info.name, info.size, len(self.blocks), new_blocks)


class Adder:
    """Adds files to one node's shelf."""

    def __init__(self, shelf: Shelf, chunker: Chunker, clock: Clock) -> None:
        self._shelf = shelf
        self._chunker = chunker
        self._clock = clock

    async def add(self, source: Source, *, name: str, progress: Progress | None) -> FileAdded:
        """Add all of `source` under `name`. Raises `StoreError` and what the source raises."""
        tally = _Tally()
        async with self._shelf.using(tally.cids):
            send, receive = trio.open_memory_channel[list[Block]](_BATCHES_AHEAD)
            with sole_error():
                async with receive, trio.open_nursery() as nursery:
                    nursery.start_soon(self._read, source, tally, send)
                    for _ in range(_WRITES_AT_ONCE):
                        nursery.start_soon(self._write, receive, tally, source.size, progress)
            return await self._enter(name, tally)

    async def add_small(self, asked: Sequence[tuple[Path, str]]) -> list[FileAdded | None]:
        """Add those files, given as path and name, that are small, in as few turns and transactions as one takes.

        None where a file is not small or cannot be read: it is for `add`, which says why. Raises `StoreError`; then
        none of them is in the catalogue.
        """
        read = partial(_read_all, asked, self._chunker, int(self._clock.wall()))
        found = await trio.to_thread.run_sync(read)
        small = [file for file in found if file is not None]
        async with self._shelf.using([block.cid for file in small for block in file.blocks]):
            new = await self._store_all([file.blocks for file in small])
            if small:
                await self._shelf.enter_all([(file.info, file.manifest) for file in small])
        counts = iter(new)
        return [None if file is None else file.added(next(counts)) for file in found]

    async def _store_all(self, files: Sequence[list[Block]]) -> list[int]:
        """Store the blocks of several files at once; how many each brought that were not here."""
        blocks = {block.cid: block for file in files for block in file}
        if not blocks:
            return [0] * len(files)
        held = await self._shelf.blocks.has_many(list(blocks))
        await self._shelf.blocks.put_many(blocks.values())
        unheld = {cid for cid, here in zip(blocks, held, strict=True) if not here}
        counts: list[int] = []
        for file in files:
            own = unheld.intersection(block.cid for block in file)
            unheld -= own
            counts.append(len(own))
        return counts

    async def _read(self, source: Source, tally: _Tally, send: trio.MemorySendChannel[list[Block]]) -> None:
        async with send, aclosing(source.batches(self._chunker.splitter())) as batches:
            async for batch in batches:
                tally.cids += [block.cid for block in batch]
                tally.size += sum(map(len, batch))
                await self._shelf.settled()
                await send.send(batch)

    async def _write(
        self,
        receive: trio.MemoryReceiveChannel[list[Block]],
        tally: _Tally,
        size: int | None,
        progress: Progress | None,
    ) -> None:
        async for batch in receive:
            tally.new_blocks += await self._shelf.blocks.put_many(batch)
            tally.stored_bytes += sum(map(len, batch))
            if progress is not None:
                progress(tally.stored_bytes, size)

    async def _enter(self, name: str, tally: _Tally) -> FileAdded:
        info, manifest = await trio.to_thread.run_sync(_describe, name, tally, int(self._clock.wall()))
        await self._shelf.enter(info, manifest)
        return FileAdded(info.root_cid, None, name, tally.size, len(tally.cids), tally.new_blocks)


def _describe(name: str, tally: _Tally, now: int) -> tuple[FileInfo, bytes]:
    info = FileInfo.of(name, tally.size, tally.cids, now)
    return info, info.to_json()


def _read_all(asked: Sequence[tuple[Path, str]], chunker: Chunker, now: int) -> list[_SmallFile | None]:
    return [_read_one(path, name, chunker, now) for path, name in asked]


def _read_one(path: Path, name: str, chunker: Chunker, now: int) -> _SmallFile | None:
    try:
        blocks = read_small(path, chunker.splitter())
    except FileAccessError:
        return None
    if blocks is None:
        return None
    info = FileInfo.of(name, sum(map(len, blocks)), [block.cid for block in blocks], now)
    return _SmallFile(blocks, info, info.to_json())
