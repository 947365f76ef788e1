"""Adding a file: bytes become blocks, a DAG, a manifest and a catalogue entry. Reading overlaps with writing.

Memory stays flat: at most a few batches are on their way, however long the source is. Nothing is in the catalogue
before every block is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import trio

from chiral.block.cid import CID
from chiral.chunker.splitter import Chunker
from chiral.clock import Clock
from chiral.dag.file_info import FileInfo
from chiral.errors import sole_error
from chiral.files.add_options import DEFAULT_OPTIONS, AddOptions
from chiral.files.cutting import Batch, Cutting
from chiral.files.entries import enter, file_record
from chiral.files.media_type import HEAD_BYTES
from chiral.files.results import FileAdded, Progress
from chiral.files.shelf import Shelf
from chiral.files.small_files import SmallFile, read_small_files
from chiral.files.source import Source

_BATCHES_AHEAD = 1
_WRITES_AT_ONCE = 3
"""While one batch is synced to the disk the next ones gather in the writer's queue and share the next sync."""


@dataclass(slots=True)
class _Tally:
    """What an add has come to so far; `cids`, `used` and `size` of what was read, the others of what is stored."""

    cids: list[CID] = field(default_factory=list)
    used: list[CID] = field(default_factory=list)
    """The chunks, and the nodes over them."""
    head: bytes = b""
    size: int = 0
    stored_bytes: int = 0
    fresh: dict[CID, int] = field(default_factory=dict)
    """Chunks that were not here before, with their sizes."""

    def note(self, batch: Batch) -> None:
        """A batch was read."""
        cids = [block.cid for block in batch.chunks]
        if not self.cids and batch.chunks:
            self.head = bytes(memoryview(batch.chunks[0].data)[:HEAD_BYTES])
        self.cids += cids
        self.used += cids
        self.used += [block.cid for block in batch.nodes]
        self.size += sum(map(len, batch.chunks))


class Adder:
    """Adds files to one node's shelf; `chunker` cuts where the options name no other."""

    def __init__(self, shelf: Shelf, chunker: Chunker, clock: Clock) -> None:
        self._shelf = shelf
        self._chunker = chunker
        self._clock = clock

    async def add(
        self, source: Source, *, name: str, progress: Progress | None, options: AddOptions = DEFAULT_OPTIONS
    ) -> FileAdded:
        """Add all of `source` under `name`. Raises `StoreError` and what the source raises."""
        metadata = source.metadata(mode=options.mode, mtime=options.mtime)
        cutting = Cutting(options.chunker or self._chunker, options.profile, source.size, metadata)
        tally = _Tally()
        known = [False]
        if options.only_hash:
            await self._hash(source, cutting, tally, progress)
            info, _ = await self._describe(name, tally)
        else:
            async with self._shelf.using(tally.used):
                await self._store(source, cutting, tally, progress)
                info, manifest = await self._describe(name, tally)
                record = file_record(info, cutting.root.cid, int(self._clock.wall()), tally.head)
                known = await enter(self._shelf.catalogue, [(record, manifest)])
        root = cutting.root
        return FileAdded(
            info.root_cid,
            root.cid,
            name,
            tally.size,
            chunks=len(tally.cids),
            new_blocks=len(tally.fresh),
            dag_bytes=root.tsize,
            new_bytes=sum(tally.fresh.values()),
            known=known[0],
        )

    async def add_small(
        self, asked: Sequence[tuple[Path, str]], options: AddOptions = DEFAULT_OPTIONS
    ) -> list[FileAdded | None]:
        """Add those files, given as path and name, that are small, in as few turns and transactions as one takes.

        None where a file is not small or cannot be read: it is for `add`, which says why. Raises `StoreError`; then
        none of them is in the catalogue.
        """
        now = int(self._clock.wall())
        found = await trio.to_thread.run_sync(read_small_files, asked, options.chunker or self._chunker, options, now)
        small = [file for file in found if file is not None]
        outcomes: list[tuple[list[int], bool]] = [([], False) for _ in small]
        if small and not options.only_hash:
            async with self._shelf.using([cid for file in small for cid in file.cids]):
                new = await self._store_all(small)
                known = await enter(self._shelf.catalogue, [(file.record, file.manifest) for file in small])
                outcomes = list(zip(new, known, strict=True))
        told = iter(outcomes)
        return [None if file is None else file.added(*next(told)) for file in found]

    async def _store_all(self, files: Sequence[SmallFile]) -> list[list[int]]:
        """Store the blocks of several files at once; the sizes of the chunks each brought that were not here."""
        chunks = {block.cid: len(block) for file in files for block in file.batch.chunks}
        held = await self._shelf.blocks.has_many(list(chunks))
        blocks = {block.cid: block for file in files for block in (*file.batch.chunks, *file.batch.nodes)}
        if blocks:
            await self._shelf.blocks.put_many(blocks.values())
        unheld = {cid for cid, here in zip(chunks, held, strict=True) if not here}
        new: list[list[int]] = []
        for file in files:
            own = unheld.intersection(block.cid for block in file.batch.chunks)
            unheld -= own
            new.append([chunks[cid] for cid in own])
        return new

    async def _hash(self, source: Source, cutting: Cutting, tally: _Tally, progress: Progress | None) -> None:
        async with aclosing(source.batches(cutting)) as batches:
            async for batch in batches:
                tally.note(batch)
                if progress is not None:
                    progress(tally.size, source.size)

    async def _store(self, source: Source, cutting: Cutting, tally: _Tally, progress: Progress | None) -> None:
        send, receive = trio.open_memory_channel[Batch](_BATCHES_AHEAD)
        with sole_error():
            async with receive, trio.open_nursery() as nursery:
                nursery.start_soon(self._read, source, cutting, tally, send)
                for _ in range(_WRITES_AT_ONCE):
                    nursery.start_soon(self._write, receive, tally, source.size, progress)

    async def _read(self, source: Source, cutting: Cutting, tally: _Tally, send: trio.MemorySendChannel[Batch]) -> None:
        async with send, aclosing(source.batches(cutting)) as batches:
            async for batch in batches:
                tally.note(batch)
                await self._shelf.settled()
                await send.send(batch)

    async def _write(
        self,
        receive: trio.MemoryReceiveChannel[Batch],
        tally: _Tally,
        size: int | None,
        progress: Progress | None,
    ) -> None:
        async for batch in receive:
            await self._put(batch, tally)
            tally.stored_bytes += sum(map(len, batch.chunks))
            if progress is not None:
                progress(tally.stored_bytes, size)

    async def _put(self, batch: Batch, tally: _Tally) -> None:
        """Store a batch in one transaction, and note which of its chunks were not here before."""
        if not batch.chunks and not batch.nodes:
            return
        chunks = {block.cid: len(block) for block in batch.chunks}
        held = await self._shelf.blocks.has_many(list(chunks)) if chunks else []
        await self._shelf.blocks.put_many([*batch.chunks, *batch.nodes])
        # What another batch of this file brought meanwhile is counted there; a chunk is fresh once.
        tally.fresh.update((cid, size) for (cid, size), here in zip(chunks.items(), held, strict=True) if not here)

    async def _describe(self, name: str, tally: _Tally) -> tuple[FileInfo, bytes]:
        return await trio.to_thread.run_sync(_describe, name, tally, int(self._clock.wall()))


def _describe(name: str, tally: _Tally, now: int) -> tuple[FileInfo, bytes]:
    info = FileInfo.of(name, tally.size, tally.cids, now)
    return info, info.to_json()
