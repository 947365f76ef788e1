"""Deltas between files as files of their own: made from two that are here, and made into the newer one where it is not.

A delta is an ordinary file, so any peer can fetch it. What is rebuilt is held against the target's root before anything
of it is stored, and is from then on a file like any other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import trio

from chiral.block.cid import CID
from chiral.chunker.given import GivenChunker
from chiral.dag.file_info import FileInfo, flat_root
from chiral.encoding.deltas import MAX_DELTA_BYTES, MAX_FILE_BYTES, Delta, apply_patch, make_patch
from chiral.errors import IntegrityError, TooLargeError, UsageError
from chiral.files.add_options import DEFAULT_OPTIONS, AddOptions
from chiral.files.labels import Labels
from chiral.files.results import FileAdded
from chiral.files.shelf import Shelf
from chiral.interface.catalogue import FileRecord

_PART_BYTES = 1 << 20


class Reader(Protocol):
    """A file being read: its size, and its bytes in order, verified."""

    @property
    def size(self) -> int: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Content(Protocol):
    """Reads files, fetching what is not here, and adds them."""

    def open(self, cid: CID, *, timeout_s: float) -> AbstractAsyncContextManager[Reader]: ...

    async def add_stream(
        self, source: AsyncIterator[bytes], *, name: str, options: AddOptions = DEFAULT_OPTIONS
    ) -> FileAdded: ...


@dataclass(frozen=True, slots=True)
class DeltaMade:
    """The delta `root`, of `size` bytes, from the file `base` to the file `target` of `target_size` bytes."""

    root: CID
    size: int
    base: CID
    target: CID
    target_size: int


class DeltaFiles:
    """The deltas of one node; one at a time is made or applied, because that takes memory."""

    def __init__(self, content: Content, labels: Labels, shelf: Shelf) -> None:
        self._content = content
        self._labels = labels
        self._shelf = shelf
        self._turn = trio.Lock()

    async def make(self, base: CID, target: CID, *, timeout_s: float) -> DeltaMade:
        """Add the delta from `base` to `target`, both held here.

        Raises `NotFoundError`, `UsageError` for what is no file, `TooLargeError` over 64 MiB, and what reading raises.
        """
        older, newer = await self._file(base), await self._file(target)
        info = await self._shelf.info(newer.root)
        if info is None:
            raise UsageError(f"{target} has no Chiral root: a delta leads to what 'chiral add' made")
        sizes = await self._shelf.blocks.sizes(info[0].chunk_cids)
        async with self._turn:
            old = await self._read(older.root, MAX_FILE_BYTES, timeout_s)
            new = await self._read(newer.root, MAX_FILE_BYTES, timeout_s)
            chunk_sizes = tuple(size or 0 for size in sizes)
            made = await trio.to_thread.run_sync(_make, older.root, info[0], chunk_sizes, old, new)
        added = await self._content.add_stream(_parts(made), name=f"{newer.name}.delta")
        return DeltaMade(added.root, len(made), older.root, newer.root, newer.size)

    async def apply(self, base: CID, delta: CID, *, timeout_s: float) -> FileRecord:
        """Rebuild the file that `delta` leads to from `base`, and hold it here; both are fetched where they are not.

        Raises `MalformedContentError` for what is no delta, `UsageError` if it is one of another base,
        `IntegrityError` if what comes out is not what it promised, and what reading and storing raise.
        """
        async with self._turn:
            patch = await trio.to_thread.run_sync(Delta.decode, await self._read(delta, MAX_DELTA_BYTES, timeout_s))
            held = await self._shelf.catalogue.by_dag_root(base)
            root = base if held is None else held.root
            if root != patch.base:
                raise UsageError(f"the delta is one of another file: {patch.base}", hint="give that as the base")
            old = await self._read(root, MAX_FILE_BYTES, timeout_s)
            target = await trio.to_thread.run_sync(_rebuild, patch, old)
            options = AddOptions(chunker=GivenChunker(patch.chunk_sizes))
            added = await self._content.add_stream(_parts(target), name=patch.name, options=options)
        return await self._labels.find(added.root)

    async def _file(self, cid: CID) -> FileRecord:
        record = await self._labels.find(cid)
        if record.kind != "file":
            raise UsageError(f"{cid} is a {record.kind}: a delta is made between files")
        return record

    async def _read(self, cid: CID, most_bytes: int, timeout_s: float) -> bytes:
        async with self._content.open(cid, timeout_s=timeout_s) as reader:
            if reader.size > most_bytes:
                raise TooLargeError(f"{cid} is larger than the {most_bytes >> 20} MiB that deltas take")
            data = bytearray()
            async for part in reader:
                data += part
        return bytes(data)


def _make(base: CID, info: FileInfo, chunk_sizes: tuple[int, ...], old: bytes, new: bytes) -> bytes:
    patch = make_patch(old, new)
    return Delta(base, info.root_cid, info.name, len(new), chunk_sizes, patch).encode()


def _rebuild(delta: Delta, old: bytes) -> bytes:
    """The target, held against its root."""
    target = apply_patch(old, delta.patch, delta.size)
    splitter = GivenChunker(delta.chunk_sizes).splitter()
    made = flat_root(CID.of(piece) for piece in [*splitter.feed(target), *splitter.finish()])
    if made != delta.target:
        raise IntegrityError(f"the delta promised {delta.target} and makes {made}")
    return target


async def _parts(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _PART_BYTES):
        yield data[start : start + _PART_BYTES]
