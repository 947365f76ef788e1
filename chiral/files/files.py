"""The use cases on files as the API and the command line call them: add, open, save, list, remove."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import trio

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.dag.file_info import FileInfo
from chiral.dag.file_name import sanitise_name
from chiral.errors import NotFoundError, UsageError
from chiral.files.add import Adder
from chiral.files.reader import FileOpener, FileReader
from chiral.files.results import FileAdded, FileSaved, Progress
from chiral.files.save import save_file
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue, FileRecord

_MAX_NAME_BYTES = 1024


class Announcer(Protocol):
    """Told what this node holds and no longer holds, to tell the swarm."""

    async def added(self, root: CID, chunks: Sequence[CID]) -> None:
        """Announce a new file; returns once the root is announced or that has taken too long."""
        ...

    async def removed(self, root: CID, chunks: Sequence[CID]) -> None: ...


class Files:
    """One node's files."""

    def __init__(
        self,
        adder: Adder,
        opener: FileOpener,
        catalogue: Catalogue,
        store: Blockstore,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._adder = adder
        self._opener = opener
        self._catalogue = catalogue
        self._store = store
        self._announcer = announcer
        self._clock = clock

    async def add_path(self, path: Path, *, name: str | None = None, progress: Progress | None = None) -> FileAdded:
        """Add a local file and announce it. Raises `FileAccessError`, `StoreError`, `UsageError` (a name too long)."""
        added, chunks = await self._adder.add_path(path, name=_checked(name or path.name), progress=progress)
        await self._announcer.added(added.root, chunks)
        return added

    async def add_stream(
        self, source: AsyncIterator[bytes], *, name: str, progress: Progress | None = None
    ) -> FileAdded:
        """Add what `source` yields and announce it. Raises `StoreError` or `UsageError` (a name too long)."""
        added, chunks = await self._adder.add_stream(source, name=_checked(name), progress=progress)
        await self._announcer.added(added.root, chunks)
        return added

    def open(self, cid: CID, *, timeout_s: float) -> AbstractAsyncContextManager[FileReader]:
        """Read a file in order, fetching what is not here; see `FileOpener.open`."""
        return self._opener.open(cid, timeout_s=timeout_s)

    async def save(
        self, cid: CID, target: Path, *, overwrite: bool, timeout_s: float, progress: Progress | None = None
    ) -> FileSaved:
        """Write a file to `target`, or into it under a safe form of its claimed name where that is a directory.

        Raises what `open` raises and `FileAccessError`; on any failure nothing is left at the target.
        """
        started = self._clock.monotonic()
        async with self.open(cid, timeout_s=timeout_s) as reader:
            path = await trio.to_thread.run_sync(_landing, target, reader.name, overwrite)
            await save_file(reader, path, overwrite=overwrite, progress=progress)
        elapsed = self._clock.monotonic() - started
        return FileSaved(cid, reader.name, reader.size, str(path), reader.providers, elapsed)

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[FileRecord]:
        """Up to `limit` files held here, those after multihash `after`, in multihash order."""
        return await self._catalogue.page(after, limit)

    async def record(self, cid: CID) -> FileRecord | None:
        """The catalogue's entry of a file held here."""
        return await self._catalogue.get(cid)

    async def chunks(self, cid: CID) -> list[tuple[CID, int]]:
        """CID and size of each block of a file held here, in order; raises `NotFoundError`."""
        cids = await self._chunk_cids(cid)
        return [(chunk, (await self._store.size(chunk)) or 0) for chunk in cids]

    async def remove(self, cid: CID) -> FileRecord:
        """Forget a file, and those of its blocks no other file is made of; raises `NotFoundError`."""
        record = await self._catalogue.get(cid)
        if record is None:
            raise NotFoundError(f"{cid} is not a file held here", hint="'chiral ls' shows those that are")
        chunks = await self._chunk_cids(cid)
        shared = await self._catalogue.chunk_users(cid, chunks)
        own = [chunk for chunk, used in zip(chunks, shared, strict=True) if not used]
        await self._catalogue.remove(cid, own)
        await self._announcer.removed(cid, own)
        return record

    async def _chunk_cids(self, cid: CID) -> list[CID]:
        manifest = await self._catalogue.manifest(cid)
        if manifest is None:
            raise NotFoundError(f"{cid} is not a file held here", hint="'chiral ls' shows those that are")
        return list(FileInfo.parse(manifest).chunk_cids)


def _landing(target: Path, name: str, overwrite: bool) -> Path:
    """The path to write: `target`, or a name inside it where it is a directory."""
    if not target.is_dir():
        return target
    path = target / sanitise_name(name)
    return path if overwrite else free_name(path)


def free_name(path: Path) -> Path:
    """`path`, or the first of `name (1).ext`, `name (2).ext` and so on that does not exist."""
    candidate, number = path, 0
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return candidate


def _checked(name: str) -> str:
    if len(name.encode("utf-8", "surrogateescape")) > _MAX_NAME_BYTES:
        raise UsageError(f"the name is longer than {_MAX_NAME_BYTES} bytes", hint="give a shorter one with --name")
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
