"""The use cases on files as the API and the command line call them: add, open, save, list, remove."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.dag.file_name import sanitise_name
from chiral.errors import NotFoundError, UsageError
from chiral.files.add import Adder
from chiral.files.announcer import Announcer
from chiral.files.opener import FileOpener
from chiral.files.reader import FileReader
from chiral.files.results import FileAdded, FileSaved, Progress
from chiral.files.save import cannot_write, save_file
from chiral.files.shelf import Shelf
from chiral.files.source import Source, StreamSource, open_path
from chiral.interface.catalogue import FileRecord

_MAX_NAME_BYTES = 1024
_SURROGATES = re.compile(r"[\ud800-\udfff]")


class Files:
    """One node's files."""

    def __init__(self, adder: Adder, opener: FileOpener, shelf: Shelf, announcer: Announcer, clock: Clock) -> None:
        self._adder = adder
        self._opener = opener
        self._shelf = shelf
        self._announcer = announcer
        self._clock = clock

    async def add_path(self, path: Path, *, name: str | None = None, progress: Progress | None = None) -> FileAdded:
        """Add a local file and announce it. Raises `FileAccessError`, `StoreError`, `UsageError` (a name too long)."""
        checked = _checked(name or path.name)
        async with open_path(path) as source:
            return await self._add(source, checked, progress)

    async def add_small(self, asked: Sequence[tuple[Path, str]]) -> list[FileAdded | None]:
        """Add and announce together those local files, given as path and name, that are small.

        None for each that is left to `add_path`: it is large, or cannot be read or named so. Raises `StoreError`; then
        none was added.
        """
        named = [(path, _as_text(name)) for path, name in asked]
        fits = [len(name.encode()) <= _MAX_NAME_BYTES for _, name in named]
        added = iter(await self._adder.add_small([file for file, fit in zip(named, fits, strict=True) if fit]))
        outcomes = [next(added) if fit else None for fit in fits]
        await self._announcer.added(*(outcome.root for outcome in outcomes if outcome is not None))
        return outcomes

    async def add_stream(
        self, source: AsyncIterator[bytes], *, name: str, progress: Progress | None = None
    ) -> FileAdded:
        """Add what `source` yields and announce it. Raises `StoreError` or `UsageError` (a name too long)."""
        return await self._add(StreamSource(source), _checked(name), progress)

    async def _add(self, source: Source, name: str, progress: Progress | None) -> FileAdded:
        added = await self._adder.add(source, name=name, progress=progress)
        await self._announcer.added(added.root)
        return added

    def open(self, cid: CID, *, timeout_s: float) -> AbstractAsyncContextManager[FileReader]:
        """Read a file in order, fetching what is not here; see `FileOpener.open`."""
        return self._opener.open(cid, timeout_s=timeout_s)

    async def save(
        self, cid: CID, target: Path, *, overwrite: bool, timeout_s: float, progress: Progress | None = None
    ) -> FileSaved:
        """Write a file to `target`, or into it under a safe and free form of its claimed name if it is a directory.

        Raises what `open` raises and `FileAccessError`; on any failure nothing is left at the target.
        """
        started = self._clock.monotonic()
        async with self.open(cid, timeout_s=timeout_s) as reader:
            path, otherwise = await trio.to_thread.run_sync(_landing, target, reader.name, overwrite)
            saved = await save_file(reader, path, overwrite=overwrite, otherwise=otherwise, progress=progress)
        elapsed = self._clock.monotonic() - started
        return FileSaved(cid, reader.name, reader.size, str(saved), reader.providers, elapsed)

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[FileRecord]:
        """Up to `limit` files held here, those after multihash `after`, in multihash order."""
        return await self._shelf.catalogue.page(after, limit)

    async def record(self, cid: CID) -> FileRecord | None:
        """The catalogue's entry of a file held here."""
        return await self._shelf.catalogue.get(cid)

    async def chunks(self, cid: CID) -> list[tuple[CID, int]]:
        """CID and size of each block of a file held here, in order; raises `NotFoundError`."""
        found = await self._shelf.info(cid)
        if found is None:
            raise NotFoundError(f"{cid} is not a file held here", hint="'chiral ls' shows those that are")
        return [(chunk, (await self._shelf.blocks.size(chunk)) or 0) for chunk in found[0].chunk_cids]

    async def remove(self, cid: CID) -> FileRecord:
        """Forget a file, and those of its blocks no other file is made of; raises `NotFoundError`."""
        record, chunks = await self._shelf.remove(cid)
        with trio.CancelScope(shield=True):  # what is gone must not stay announced
            await self._announcer.removed(cid, chunks)
        return record


def _landing(target: Path, name: str, overwrite: bool) -> tuple[Path, Callable[[Path], Path] | None]:
    """The path to write, and, where that is a free name inside the directory `target`, how to find the next one."""
    try:
        if not target.is_dir():
            return target, None
        path = target / sanitise_name(name)
        return (path if overwrite else free_name(path)), lambda taken: free_name(path)
    except OSError as error:
        raise cannot_write(target, error) from error


def free_name(path: Path) -> Path:
    """`path`, or the first of `name (1).ext`, `name (2).ext` and so on where nothing is."""
    candidate, number = path, 0
    while os.path.lexists(candidate):
        number += 1
        candidate = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return candidate


def _checked(name: str) -> str:
    """`name` as text that every peer takes; bytes of a path that are no text come as surrogates."""
    text = _as_text(name)
    if len(text.encode()) > _MAX_NAME_BYTES:
        raise UsageError(f"the name is longer than {_MAX_NAME_BYTES} bytes", hint="give a shorter one with --name")
    return text


def _as_text(name: str) -> str:
    return _SURROGATES.sub("\ufffd", name)
