"""The use cases on files as the API and the command line call them: add, open, save, list, remove."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import trio

from chiral.block.cid import CID, DAG_PB
from chiral.clock import Clock
from chiral.dag.file_name import sanitise_name
from chiral.errors import NotFoundError, UsageError
from chiral.files.add import Adder
from chiral.files.add_options import DEFAULT_OPTIONS, AddOptions, TreeOptions
from chiral.files.add_tree import TreeAdder
from chiral.files.announcer import Announcer
from chiral.files.dag_opener import DagOpener, OpenDag
from chiral.files.listing import Listing
from chiral.files.opener import FileOpener
from chiral.files.reader import Reading
from chiral.files.results import FileAdded, FileSaved, Progress, TreeAdded
from chiral.files.save import cannot_write, save_file
from chiral.files.save_tree import save_tree
from chiral.files.shelf import Shelf
from chiral.files.source import Source, StreamSource, open_path
from chiral.files.span import WHOLE, Span
from chiral.interface.catalogue import FileRecord

_MAX_NAME_BYTES = 1024
_SURROGATES = re.compile(r"[\ud800-\udfff]")


class Files:
    """One node's files."""

    def __init__(
        self,
        adder: Adder,
        opener: FileOpener,
        dags: DagOpener,
        shelf: Shelf,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._adder = adder
        self._opener = opener
        self._dags = dags
        self._trees = TreeAdder(adder, shelf, clock)
        self._shelf = shelf
        self._announcer = announcer
        self._clock = clock

    async def add_path(
        self,
        path: Path,
        *,
        name: str | None = None,
        progress: Progress | None = None,
        options: AddOptions = DEFAULT_OPTIONS,
    ) -> FileAdded:
        """Add a local file and announce it. Raises `FileAccessError`, `StoreError`, `UsageError` (a name too long)."""
        checked = _checked(name or path.name)
        async with open_path(path) as source:
            return await self._add(source, checked, progress, options)

    async def add_small(
        self, asked: Sequence[tuple[Path, str]], *, options: AddOptions = DEFAULT_OPTIONS
    ) -> list[FileAdded | None]:
        """Add and announce together those local files, given as path and name, that are small.

        None for each that is left to `add_path`: it is large, or cannot be read or named so. Raises `StoreError`; then
        none was added.
        """
        named = [(path, _as_text(name)) for path, name in asked]
        fits = [len(name.encode()) <= _MAX_NAME_BYTES for _, name in named]
        few = [file for file, fit in zip(named, fits, strict=True) if fit]
        added = iter(await self._adder.add_small(few, options))
        outcomes = [next(added) if fit else None for fit in fits]
        await self._announce([outcome for outcome in outcomes if outcome is not None], options)
        return outcomes

    async def add_stream(
        self,
        source: AsyncIterator[bytes],
        *,
        name: str,
        progress: Progress | None = None,
        options: AddOptions = DEFAULT_OPTIONS,
    ) -> FileAdded:
        """Add what `source` yields and announce it. Raises `StoreError` or `UsageError` (a name too long)."""
        return await self._add(StreamSource(source), _checked(name), progress, options)

    async def add_tree(
        self, path: Path, *, name: str | None = None, options: TreeOptions, progress: Progress | None = None
    ) -> TreeAdded:
        """Add a local directory, all but what cannot be read, and announce it; the outcome says what was left out.

        Raises `FileAccessError` if that is the directory itself, `ForbiddenError`, `StoreError`, `UsageError`.
        """
        announces = not options.adding.only_hash
        added = await self._trees.add(
            path,
            name=_checked(name or path.name),
            options=options,
            progress=progress,
            added=self._announcer.fetched if announces else lambda root: None,
        )
        if announces:
            await self._announcer.added(added.root)
        return added

    async def _add(self, source: Source, name: str, progress: Progress | None, options: AddOptions) -> FileAdded:
        added = await self._adder.add(source, name=name, progress=progress, options=options)
        await self._announce([added], options)
        return added

    async def _announce(self, added: Sequence[FileAdded], options: AddOptions) -> None:
        """Announce the Chiral roots, and the DAG roots but for those that are a chunk, which is announced anyway."""
        if not options.only_hash:
            dags = [file.dag_root for file in added if file.dag_root is not None and file.dag_root.codec == DAG_PB]
            await self._announcer.added(*(file.root for file in added), *dags)

    def open(
        self, cid: CID, *, timeout_s: float, path: Sequence[str] = (), span: Span = WHOLE
    ) -> AbstractAsyncContextManager[Reading]:
        """Read a file or a part of it in order, fetching what is not here; see `FileOpener.open`."""
        return self._opener.open(cid, timeout_s=timeout_s, path=path, span=span)

    @asynccontextmanager
    async def listing(self, cid: CID, *, timeout_s: float, path: Sequence[str] = ()) -> AsyncIterator[Listing]:
        """The entries of a directory, to be iterated over within the block; see `DagOpener.open` and `Listing`."""
        if cid.codec != DAG_PB:
            raise NotFoundError(f"{cid} is neither a directory nor a file held here", hint="'chiral ls' shows those")
        async with self._dags.open(cid, path, timeout_s=timeout_s) as opened:
            yield await Listing.of(opened)

    async def save(
        self,
        cid: CID,
        target: Path,
        *,
        overwrite: bool,
        timeout_s: float,
        progress: Progress | None = None,
        path: Sequence[str] = (),
        unsafe_links: bool = False,
    ) -> FileSaved:
        """Write a file or directory to `target`, or into it under a safe and free form of its name if that is there.

        A directory takes the place of nothing, whatever `overwrite` says. Raises what `open` raises, `FileAccessError`,
        and `ForbiddenError` for links out of the directory unless `unsafe_links`; on any failure nothing is left at the
        target.
        """
        started = self._clock.monotonic()
        if cid.codec == DAG_PB:
            async with self._dags.open(cid, path, timeout_s=timeout_s) as opened:
                if opened.node.is_directory:
                    saved = await self._save_tree(opened, target, unsafe_links, progress)
                else:
                    saved = await self._save(self._dags.reader(opened, WHOLE), cid, target, overwrite, progress)
        else:
            async with self.open(cid, timeout_s=timeout_s, path=path) as reader:
                saved = await self._save(reader, cid, target, overwrite, progress)
        return saved.taking(self._clock.monotonic() - started)

    async def _save(
        self, reader: Reading, cid: CID, target: Path, overwrite: bool, progress: Progress | None
    ) -> FileSaved:
        path, otherwise = await trio.to_thread.run_sync(_landing, target, reader.name, overwrite)
        saved = await save_file(reader, path, overwrite=overwrite, otherwise=otherwise, progress=progress)
        return FileSaved(cid, reader.name, reader.size, str(saved), reader.providers, 0.0)

    async def _save_tree(
        self, opened: OpenDag, target: Path, unsafe_links: bool, progress: Progress | None
    ) -> FileSaved:
        path, otherwise = await trio.to_thread.run_sync(_landing, target, opened.name, False)
        saved = await save_tree(opened, path, otherwise=otherwise, unsafe_links=unsafe_links, progress=progress)
        await self._dags.enter_directory(opened, saved.size, saved.chunks)
        name, providers = opened.name, opened.providers
        return FileSaved(opened.root, name, saved.size, str(saved.path), providers, 0.0, saved.files)

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[FileRecord]:
        """Up to `limit` files held here, those after multihash `after`, in multihash order."""
        return await self._shelf.catalogue.page(after, limit)

    async def record(self, cid: CID) -> FileRecord | None:
        """The catalogue's entry of a file or directory held here, by its root or DAG root."""
        return await self._shelf.catalogue.get(cid) or await self._shelf.catalogue.by_dag_root(cid)

    async def chunks(self, cid: CID) -> list[tuple[CID, int]]:
        """CID and size of each block of a file held here, in order; raises `NotFoundError`."""
        record = await self.record(cid)
        found = None if record is None else await self._shelf.info(record.root)
        if found is None:
            raise NotFoundError(f"{cid} is not a file held here", hint="'chiral ls' shows those that are")
        chunks = found[0].chunk_cids
        sizes = await self._shelf.blocks.sizes(chunks)
        return [(chunk, size or 0) for chunk, size in zip(chunks, sizes, strict=True)]

    async def remove(self, cid: CID) -> FileRecord:
        """Forget a file, and those of its blocks no other file is made of; raises `NotFoundError`."""
        record, chunks = await self._shelf.remove(cid)
        with trio.CancelScope(shield=True):  # what is gone must not stay announced
            await self._announcer.removed(cid, chunks)
            dag_root = record.dag_root
            if dag_root is not None and dag_root != cid and dag_root.codec == DAG_PB:
                await self._announcer.removed(dag_root, ())
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
