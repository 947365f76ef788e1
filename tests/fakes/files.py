"""A fake of the use cases on files: in memory, with faults, stalls and absent providers on call."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from chiral.block.cid import CID, DAG_PB
from chiral.dag.file_name import sanitise_name
from chiral.errors import ChiralError, FileAccessError, NoProvidersError, NotFoundError
from chiral.files.add_options import DEFAULT_OPTIONS, AddOptions, TreeOptions
from chiral.files.results import EntryFound, FileAdded, FileSaved, NotAdded, Progress, TreeAdded
from chiral.files.span import WHOLE, Span
from chiral.interface.catalogue import FileRecord

CHUNK_BYTES = 256 * 1024


class FakeReader:
    """Hands out the file's chunks; `fault` is raised before chunk number `fault_at`."""

    def __init__(self, files: FakeFiles, cid: CID, span: Span) -> None:
        self._files = files
        self.root = cid
        self.name = files.names[cid]
        self.size = len(files.contents[cid])
        self.start, self.stop = span.within(self.size)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        data = self._files.contents[self.root][self.start : self.stop]
        for number, start in enumerate(range(0, len(data), CHUNK_BYTES)):
            await self._files.before_chunk(number)
            yield data[start : start + CHUNK_BYTES]


@dataclass(slots=True)
class FakeFiles:
    """Files in memory.

    `remote` holds what others provide. Set `fault` (with `fault_at`, a chunk number) to fail there, and `stall_at` to
    wait for ever there; `stalled` and `cancelled` tell of it. `cut` counts uploads that ended before they were whole.
    """

    contents: dict[CID, bytes] = field(default_factory=dict)
    names: dict[CID, str] = field(default_factory=dict)
    local: set[CID] = field(default_factory=set)
    fault: ChiralError | None = None
    fault_at: int = 0
    open_fault: ChiralError | None = None
    finished: list[CID] = field(default_factory=list)
    stall_at: int | None = None
    stalled: trio.Event = field(default_factory=trio.Event)
    cancelled: trio.Event = field(default_factory=trio.Event)
    cut: trio.Event = field(default_factory=trio.Event)
    largest_part: int = 0
    groups: list[int] = field(default_factory=list)
    options: list[AddOptions] = field(default_factory=list)
    trees: list[TreeOptions] = field(default_factory=list)
    unsafe_links: list[bool] = field(default_factory=list)
    paths: dict[tuple[CID, tuple[str, ...]], CID] = field(default_factory=dict)
    """Files by a CID and a path below it."""
    directories: dict[tuple[CID, tuple[str, ...]], list[EntryFound]] = field(default_factory=dict)

    def hold(self, data: bytes, name: str, *, local: bool = True) -> CID:
        """Have a file, here or only with others; returns its root."""
        cid = CID.of(hashlib.sha256(data).digest())
        self.contents[cid] = data
        self.names[cid] = name
        if local:
            self.local.add(cid)
        return cid

    async def before_chunk(self, number: int) -> None:
        """Fail or wait for ever where that was asked for."""
        if self.fault is not None and number >= self.fault_at:
            raise self.fault
        if self.stall_at is not None and number >= self.stall_at:
            self.stalled.set()
            try:
                await trio.sleep_forever()
            finally:
                self.cancelled.set()
        await trio.lowlevel.checkpoint()

    async def add_path(
        self,
        path: Path,
        *,
        name: str | None = None,
        progress: Progress | None = None,
        options: AddOptions = DEFAULT_OPTIONS,
    ) -> FileAdded:
        self.options.append(options)
        try:
            data = await trio.to_thread.run_sync(path.read_bytes)
        except OSError as error:
            raise FileAccessError(f"cannot read {path}: {error.strerror}") from error
        for number, start in enumerate(range(0, len(data), CHUNK_BYTES)):
            await self.before_chunk(number)
            if progress is not None:
                progress(min(start + CHUNK_BYTES, len(data)), len(data))
        return self._added(data, name or path.name)

    async def add_small(
        self, asked: Sequence[tuple[Path, str]], *, options: AddOptions = DEFAULT_OPTIONS
    ) -> list[FileAdded | None]:
        """As the real one does, it leaves faults to `add_path`: with one set, or nothing readable, it adds none."""
        self.options.append(options)
        self.groups.append(len(asked))
        for number in range(len(asked)):
            await self.before_chunk(number)
        return [
            self._added(await trio.to_thread.run_sync(path.read_bytes), name) if path.is_file() else None
            for path, name in asked
        ]

    async def add_tree(
        self, path: Path, *, name: str | None = None, options: TreeOptions, progress: Progress | None = None
    ) -> TreeAdded:
        """The files right in a directory; the root stands for their names."""
        await self.before_chunk(0)
        self.trees.append(options)
        found = await trio.to_thread.run_sync(lambda: sorted(path.iterdir()))
        found = [entry for entry in found if options.hidden or not entry.name.startswith(".")]
        faults = tuple(
            NotAdded(str(entry), FileAccessError(f"cannot read {entry}: no")) for entry in found if entry.is_symlink()
        )
        files = [entry for entry in found if entry.is_file() and not entry.is_symlink()]
        size = sum(entry.stat().st_size for entry in files)
        if progress is not None:
            progress(size, size)
        root = CID.of("\n".join(entry.name for entry in files).encode(), DAG_PB)
        shown = name or path.name
        return TreeAdded(root, shown, size, len(files), len(files), len(files), 1, 0, len(faults), faults)

    @asynccontextmanager
    async def listing(
        self, cid: CID, *, timeout_s: float, path: Sequence[str] = ()
    ) -> AsyncIterator[AsyncIterator[EntryFound]]:
        if (cid, tuple(path)) not in self.directories:
            raise NoProvidersError(f"no providers found for {cid}")

        async def entries() -> AsyncIterator[EntryFound]:
            for number, entry in enumerate(self.directories[cid, tuple(path)]):
                await self.before_chunk(number)
                yield entry

        yield entries()

    async def add_stream(
        self,
        source: AsyncIterator[bytes],
        *,
        name: str,
        progress: Progress | None = None,
        options: AddOptions = DEFAULT_OPTIONS,
    ) -> FileAdded:
        self.options.append(options)
        data = bytearray()
        number = 0
        try:
            async for part in source:
                self.largest_part = max(self.largest_part, len(part))
                data += part
                await self.before_chunk(number)
                number += 1
        except ChiralError as error:
            if error.code == "upload_cut":
                self.cut.set()
            raise
        return self._added(bytes(data), name)

    def _added(self, data: bytes, name: str) -> FileAdded:
        cid = self.hold(data, name)
        chunks = -(-len(data) // CHUNK_BYTES)
        return FileAdded(
            root=cid, dag_root=None, name=name, size=len(data), chunks=chunks, new_blocks=chunks, new_bytes=len(data)
        )

    @asynccontextmanager
    async def open(
        self, cid: CID, *, timeout_s: float, path: Sequence[str] = (), span: Span = WHOLE
    ) -> AsyncIterator[FakeReader]:
        cid = self.paths.get((cid, tuple(path)), cid)
        if cid not in self.contents:
            raise NoProvidersError(f"no providers found for {cid}", hint="is a node that holds it running?")
        if self.open_fault is not None:
            raise self.open_fault
        yield FakeReader(self, cid, span)
        await trio.lowlevel.checkpoint()
        self.finished.append(cid)

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
        self.unsafe_links.append(unsafe_links)
        async with self.open(cid, timeout_s=timeout_s, path=path) as reader:
            place = _landing(target, reader.name, overwrite)
            data = bytearray()
            async for part in reader:
                data += part
                if progress is not None:
                    progress(len(data), reader.size)
            await trio.to_thread.run_sync(place.write_bytes, bytes(data))
        return FileSaved(cid, reader.name, reader.size, str(place), 0 if cid in self.local else 1, 0.25)

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[FileRecord]:
        roots = sorted(self.local, key=lambda cid: cid.multihash)
        return [self._record(cid) for cid in roots if cid.multihash > after][:limit]

    async def record(self, cid: CID) -> FileRecord | None:
        return self._record(cid) if cid in self.local else None

    async def chunks(self, cid: CID) -> list[tuple[CID, int]]:
        data = self.contents[cid]
        parts = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
        return [(CID.of(part), len(part)) for part in parts]

    async def remove(self, cid: CID) -> FileRecord:
        if cid not in self.local:
            raise NotFoundError(f"{cid} is not a file held here")
        record = self._record(cid)
        self.local.discard(cid)
        del self.contents[cid]
        return record

    def _record(self, cid: CID) -> FileRecord:
        size = len(self.contents[cid])
        return FileRecord(cid, self.names[cid], size, -(-size // CHUNK_BYTES), 1_700_000_000, 1_700_000_001)


def _landing(target: Path, name: str, overwrite: bool) -> Path:
    path = _free_name(target / sanitise_name(name)) if target.is_dir() else target
    if path.exists() and not overwrite:
        raise FileAccessError(f"{path} exists already")
    return path


def _free_name(path: Path) -> Path:
    candidate, number = path, 0
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return candidate
