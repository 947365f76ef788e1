"""Adding: a byte stream becomes blocks, a manifest and a catalogue entry. Reading and hashing overlap with writing.

Memory stays flat: at most a few batches are on their way, however long the stream is. Nothing is in the catalogue
before every block is stored.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.chunker.splitter import Chunker, Splitter
from chiral.clock import Clock
from chiral.dag.file_info import FileInfo, flat_root
from chiral.errors import FileAccessError, sole_error
from chiral.files.results import FileAdded, Progress
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue, FileRecord

_BATCH_BLOCKS = 16
_BATCHES_AHEAD = 2
_READ_BYTES = 256 * 1024


@dataclass(slots=True)
class _Tally:
    """What an add has come to so far."""

    cids: list[CID] = field(default_factory=list)
    size: int = 0
    new_blocks: int = 0


class Adder:
    """Adds files to one node's store and catalogue."""

    def __init__(self, store: Blockstore, catalogue: Catalogue, chunker: Chunker, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._chunker = chunker
        self._clock = clock

    async def add_path(self, path: Path, *, name: str, progress: Progress | None) -> tuple[FileAdded, list[CID]]:
        """Add a local file; returns what was added and its chunks. Raises `FileAccessError` or `StoreError`."""
        descriptor, size = await trio.to_thread.run_sync(_open, path)
        try:
            return await self._add(_path_batches(descriptor, path, self._chunker.splitter()), name, size, progress)
        finally:
            os.close(descriptor)

    async def add_stream(
        self, source: AsyncIterator[bytes], *, name: str, progress: Progress | None
    ) -> tuple[FileAdded, list[CID]]:
        """Add what `source` yields; returns what was added and its chunks. Raises `StoreError`."""
        return await self._add(_stream_batches(source, self._chunker.splitter()), name, None, progress)

    async def _add(
        self, batches: AsyncIterator[list[Block]], name: str, size: int | None, progress: Progress | None
    ) -> tuple[FileAdded, list[CID]]:
        tally = _Tally()
        send, receive = trio.open_memory_channel[list[Block]](_BATCHES_AHEAD)
        with sole_error():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pass_on, batches, send)
                async with receive:
                    async for batch in receive:
                        tally.new_blocks += await self._store.put_many(batch)
                        tally.cids += [block.cid for block in batch]
                        tally.size += sum(map(len, batch))
                        if progress is not None:
                            progress(tally.size, size)
        return await self._record(name, tally), tally.cids

    async def _record(self, name: str, tally: _Tally) -> FileAdded:
        root = flat_root(tally.cids)
        now = int(self._clock.wall())
        info = FileInfo(root, name, tally.size, tuple(tally.cids), now)
        manifest = await trio.to_thread.run_sync(info.to_json)
        record = FileRecord(root, name, tally.size, len(tally.cids), created_at=now, added_at=now)
        await self._catalogue.put(record, manifest)
        return FileAdded(root, None, name, tally.size, len(tally.cids), tally.new_blocks)


async def _pass_on(batches: AsyncIterator[list[Block]], send: trio.MemorySendChannel[list[Block]]) -> None:
    async with send:
        async for batch in batches:
            await send.send(batch)


async def _path_batches(descriptor: int, path: Path, splitter: Splitter) -> AsyncIterator[list[Block]]:
    ended = False
    while not ended:
        batch, ended = await trio.to_thread.run_sync(_read_batch, descriptor, path, splitter)
        if batch:
            yield batch


async def _stream_batches(source: AsyncIterator[bytes], splitter: Splitter) -> AsyncIterator[list[Block]]:
    pieces: list[bytes] = []
    async for data in source:
        pieces += splitter.feed(data)
        if len(pieces) >= _BATCH_BLOCKS:
            yield await trio.to_thread.run_sync(_blocks_of, pieces)
            pieces = []
    pieces += splitter.finish()
    if pieces:
        yield await trio.to_thread.run_sync(_blocks_of, pieces)


def _read_batch(descriptor: int, path: Path, splitter: Splitter) -> tuple[list[Block], bool]:
    """Up to a batch of blocks from the file, and whether it has ended."""
    pieces: list[bytes] = []
    while len(pieces) < _BATCH_BLOCKS:
        try:
            data = os.read(descriptor, _READ_BYTES)
        except OSError as error:
            raise FileAccessError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
        if not data:
            return _blocks_of(pieces + splitter.finish()), True
        pieces += splitter.feed(data)
    return _blocks_of(pieces), False


def _blocks_of(pieces: Sequence[bytes]) -> list[Block]:
    return [Block.of(piece) for piece in pieces]


def _open(path: Path) -> tuple[int, int]:
    """A descriptor of a regular file, and its size; raises `FileAccessError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise FileAccessError(f"no such file: {path}") from error
    except OSError as error:
        raise FileAccessError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status.st_size
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise FileAccessError(f"{path} is a directory", hint="add the files in it one by one")
    raise FileAccessError(f"{path} is not a regular file", hint="pipe its content to a file first")
