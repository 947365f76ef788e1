"""The use cases on DAGs as the API and the command line call them: export, import, stat, and reading one value."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Self

import trio

from chiral.block.cid import CID, RAW
from chiral.clock import Clock
from chiral.errors import UsageError
from chiral.files.announcer import Announcer
from chiral.files.archive_blocks import BlockSource, HeldSource, SwarmSource
from chiral.files.archive_export import Piece, Write, export_dag
from chiral.files.archive_flat import dag_root_of
from chiral.files.archive_import import ArchiveImport
from chiral.files.archive_node import read_value
from chiral.files.archive_results import DagStat, ExportOptions, ExportReport, ImportReport
from chiral.files.archive_roots import RootKeeper
from chiral.files.archive_source import pieces_of_file, pieces_of_parts, size_of_file
from chiral.files.archive_stat import DagMeasure
from chiral.files.archive_values import OUTPUT_CODECS
from chiral.files.resolver import RootResolver
from chiral.files.results import Progress
from chiral.files.save import PartFile
from chiral.files.shelf import Shelf
from chiral.interface.pins import Pins
from chiral.transfer.fetch import BlockFetcher
from chiral.transfer.finder import Candidate

_SMALL_PIECE_BYTES = 8 << 10
_SUFFIX = ".car"


class Archives:
    """One node's. A file's Chiral root stands for its DAG, which is made if there is none."""

    def __init__(
        self,
        shelf: Shelf,
        resolver: RootResolver,
        fetcher: BlockFetcher,
        keeper: RootKeeper,
        *,
        max_block_bytes: int,
    ) -> None:
        self._shelf = shelf
        self._resolver = resolver
        self._fetcher = fetcher
        self._keeper = keeper
        self._max_block_bytes = max_block_bytes

    @classmethod
    def over(
        cls,
        shelf: Shelf,
        resolver: RootResolver,
        fetcher: BlockFetcher,
        pins: Pins,
        announcer: Announcer,
        clock: Clock,
        max_block_bytes: int,
    ) -> Self:
        """Those of a node with this shelf and these ports."""
        keeper = RootKeeper(shelf.blocks, shelf.catalogue, pins, announcer, clock)
        return cls(shelf, resolver, fetcher, keeper, max_block_bytes=max_block_bytes)

    async def export(
        self, cid: CID, write: Write, options: ExportOptions, progress: Progress | None = None
    ) -> ExportReport:
        """Write the archive of the DAG below `cid` by `write`; see `export_dag`."""
        with self._shelf.uses.completing(cid):
            root, source = await self._begin(cid, options)
            with self._shelf.uses.completing(root):
                return await export_dag(root, source, write, options, progress)

    async def export_to(
        self, cid: CID, target: Path, options: ExportOptions, *, overwrite: bool, progress: Progress | None = None
    ) -> ExportReport:
        """The same into the file `target`, which is there only once it is whole. Raises `FileAccessError` too."""
        part = await trio.to_thread.run_sync(PartFile.create, target, overwrite)

        async def write(pieces: Sequence[Piece]) -> None:
            await trio.to_thread.run_sync(_write, part, pieces)

        try:
            report = await self.export(cid, write, options, progress)
            await trio.to_thread.run_sync(part.keep, overwrite, None)
        except BaseException:
            part.discard()
            raise
        return report

    async def import_file(
        self, path: Path, *, name: str | None = None, pin: bool = True, progress: Progress | None = None
    ) -> ImportReport:
        """Take in the archive at `path`; see `ArchiveImport.run` and `RootKeeper.keep`. Raises `FileAccessError` too.

        A single root is called `name`, else as the file without `.car`.
        """
        size = await trio.to_thread.run_sync(size_of_file, path)
        called = name or path.name.encode("utf-8", "replace").decode().removesuffix(_SUFFIX)
        return await self._import(pieces_of_file(path), size, called, pin, progress)

    async def import_stream(
        self, parts: AsyncIterator[bytes], *, name: str | None = None, pin: bool = True
    ) -> ImportReport:
        """Take in the archive that `parts` yields; a single root is called `name`, else by its CID."""
        return await self._import(pieces_of_parts(parts), None, name, pin, None)

    async def stat(self, cid: CID, options: ExportOptions, progress: Progress | None = None) -> DagStat:
        """What the DAG below `cid` comes to. Raises what fetching raises, not for what is missing here."""
        with self._shelf.uses.completing(cid):
            root, source = await self._begin(cid, options)
            return await DagMeasure(root, source).run(progress)

    async def read(self, cid: CID, path: Sequence[str], codec: str, options: ExportOptions) -> bytes:
        """The value at `path` below `cid` in the codec of that name; see `read_value`."""
        if codec not in OUTPUT_CODECS:
            raise UsageError(f"{codec[:40]!r} is not a codec to write", hint=f"use one of {', '.join(OUTPUT_CODECS)}")
        root, source = await self._begin(cid, options)
        return await read_value(root, path, source, OUTPUT_CODECS[codec])

    async def _begin(self, cid: CID, options: ExportOptions) -> tuple[CID, BlockSource]:
        """The root of the DAG that `cid` stands for, and where its blocks are to be had."""
        cid.require_supported()
        held = HeldSource(self._shelf.blocks)
        if options.asks_peers:
            resolved = await self._resolver.resolve(cid, options.timeout_s)
            info, candidates = resolved.info, resolved.candidates
            source: BlockSource = self._swarm(cid, candidates, options.timeout_s)
        else:
            known = await self._shelf.info(cid) if cid.codec == RAW else None
            info, candidates, source = None if known is None else known[0], (), held
        if info is None:
            return cid, source
        root = await self._known_dag_root(cid) or await dag_root_of(info, self._shelf.blocks, source)
        return root, self._swarm(root, candidates, options.timeout_s) if options.asks_peers else held

    def _swarm(self, root: CID, candidates: Sequence[Candidate], timeout_s: float) -> SwarmSource:
        return SwarmSource(root, self._shelf.blocks, self._fetcher, candidates, timeout_s)

    async def _known_dag_root(self, cid: CID) -> CID | None:
        """The DAG root that the catalogue has for a file, if its block is here too."""
        record = await self._shelf.catalogue.get(cid)
        if record is None or record.dag_root is None:
            return None
        [here] = await self._shelf.blocks.has_many([record.dag_root])
        return record.dag_root if here else None

    async def _import(
        self,
        pieces: AsyncGenerator[bytes, None],
        size: int | None,
        name: str | None,
        pin: bool,
        progress: Progress | None,
    ) -> ImportReport:
        touch = self._shelf.uses.touch
        taking = ArchiveImport(self._shelf.blocks, touch, max_block_bytes=self._max_block_bytes)
        async with aclosing(pieces), self._shelf.using([]):
            await self._shelf.settled()
            await taking.run(pieces, size, progress)
            roots = taking.roots
            kept, missing = await self._keeper.keep(roots, name or "".join(map(str, roots[:1])), pin=pin)
        return ImportReport(taking.version, kept, taking.blocks, taking.new, taking.known, taking.size, missing)


def _write(part: PartFile, pieces: Sequence[Piece]) -> None:
    """Many small pieces cost a system call each: they are put together."""
    size = sum(map(len, pieces))
    part.write([b"".join(pieces)] if size < _SMALL_PIECE_BYTES * len(pieces) else [memoryview(p) for p in pieces])
