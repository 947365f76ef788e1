"""Opens files for reading; what was fetched and read whole enters the catalogue and is served from then on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio

from chiral.block.cid import CID, DAG_PB, RAW
from chiral.dag.file_info import FileInfo
from chiral.errors import InvalidCidError, NotFoundError, sole_error
from chiral.files.announcer import Announcer
from chiral.files.dag_opener import DagOpener
from chiral.files.flat_range import ChunkPlace, known_places, uniform_places, uniform_size
from chiral.files.part_reader import PartReader, PlacedReader
from chiral.files.reader import FileReader, Reading
from chiral.files.resolver import RootResolver
from chiral.files.root import Root
from chiral.files.shelf import Shelf
from chiral.files.span import WHOLE, Span
from chiral.files.supply import FetchedBlocks, HeldBlocks, OneBlock, ScatteredBlocks, Supply
from chiral.transfer.fetch import BlockFetch, BlockFetcher, Wanted

_MOST_EXPECTED_BYTES = 2 << 20
"""Of one block: the most there is on the wire, whatever size a FileInfo claims."""


class FileOpener:
    """One node's: joins what is here with what is fetched. `dags` opens what is not a file in the flat layout."""

    def __init__(
        self, resolver: RootResolver, fetcher: BlockFetcher, shelf: Shelf, announcer: Announcer, dags: DagOpener
    ) -> None:
        self._resolver = resolver
        self._fetcher = fetcher
        self._shelf = shelf
        self._announcer = announcer
        self._dags = dags

    @asynccontextmanager
    async def open(
        self, cid: CID, *, timeout_s: float, path: Sequence[str] = (), span: Span = WHOLE
    ) -> AsyncIterator[Reading]:
        """The file `cid` names, or that `path` leads to from there, to be read within the block.

        Gives up after `timeout_s` seconds without progress; leaving the block before the end ends the fetch. Raises
        `InvalidCidError` for a CID that cannot be a file's, `IsDirectoryError`, `NoProvidersError`, `NotFoundError`,
        `IntegrityError`, `RequestTimeoutError` or another `ChiralError`.
        """
        if cid.codec == DAG_PB:
            async with self._dags.open(cid, path, timeout_s=timeout_s) as opened:
                yield self._dags.reader(opened, span)
            return
        if cid.codec != RAW:
            raise InvalidCidError(
                f"{cid} names a {cid.codec_name} node, not a file", hint="'chiral block get' gives the block itself"
            )
        if path:
            raise NotFoundError(f"{cid} is not a directory: there is no {path[0][:80]!r} in it")
        root = await self._resolver.resolve(cid, timeout_s)
        if root.info is None:
            block = FileReader(cid, str(cid), len(root.data), 1, OneBlock(root.data, providers=int(not root.local)))
            yield block if span.is_whole else PartReader(block, *span.within(block.size))
            return
        async with self._shelf.using(root.info.chunk_cids):
            opened_file = self._whole(root.info, root, timeout_s)
            if not span.is_whole:
                opened_file = self._part(root.info, root, span, timeout_s)
            async with opened_file as reader:
                yield reader

    @asynccontextmanager
    async def _whole(self, info: FileInfo, root: Root, timeout_s: float) -> AsyncIterator[Reading]:
        cids = info.chunk_cids
        reader = partial(
            FileReader,
            info.root_cid,
            info.name,
            info.size,
            len(cids),
            on_whole=None if root.local else partial(self._enter, info, root.manifest),
        )
        held = HeldBlocks(cids, self._shelf.blocks)
        missing = await self._shelf.missing(cids)
        if not missing:
            yield reader(held)
            return
        async with self._fetching(info, root, missing, timeout_s) as fetch:
            yield reader(FetchedBlocks(fetch, held))

    @asynccontextmanager
    async def _part(self, info: FileInfo, root: Root, span: Span, timeout_s: float) -> AsyncIterator[Reading]:
        start, stop = span.within(info.size)
        places = await self._places(info, root, start, stop, timeout_s) if start < stop else []
        if places is None:
            async with self._whole(info, root, timeout_s) as whole:
                assert isinstance(whole, FileReader)
                yield PartReader(whole, start, stop)
            return
        async with self._supply(info, root, [place.index for place in places], timeout_s) as supply:
            yield PlacedReader(info, start, stop, places, supply)

    async def _places(
        self, info: FileInfo, root: Root, start: int, stop: int, timeout_s: float
    ) -> list[ChunkPlace] | None:
        """Where the bytes from `start` to before `stop` are; None if only reading tells."""
        count = len(info.chunk_cids)
        sizes = [size for size in await self._shelf.blocks.sizes(info.chunk_cids) if size is not None]
        if len(sizes) == count:
            return known_places(start, stop, sizes)
        ends = sorted({0, count - 1})
        async with self._supply(info, root, ends, timeout_s) as supply:
            lengths = [len((await supply.batch(index))[0]) for index in ends]
        chunk_bytes = uniform_size(info.size, count, lengths[0], lengths[-1])
        return None if chunk_bytes is None else uniform_places(start, stop, info.size, chunk_bytes)

    @asynccontextmanager
    async def _supply(
        self, info: FileInfo, root: Root, indices: Iterable[int], timeout_s: float
    ) -> AsyncIterator[Supply]:
        """Those blocks of the file alone."""
        held = HeldBlocks(info.chunk_cids, self._shelf.blocks)
        asked = list(indices)
        missing = [asked[at] for at in await self._shelf.missing([info.chunk_cids[index] for index in asked])]
        if not missing:
            yield ScatteredBlocks(None, held)
            return
        async with self._fetching(info, root, missing, timeout_s) as fetch:
            yield ScatteredBlocks(fetch, held)

    @asynccontextmanager
    async def _fetching(
        self, info: FileInfo, root: Root, missing: Sequence[int], timeout_s: float
    ) -> AsyncIterator[BlockFetch]:
        """A fetch of the blocks `missing`, under way within the block."""
        cids = info.chunk_cids
        wanted = Wanted(info.root_cid, cids, missing, min(info.size // len(cids), _MOST_EXPECTED_BYTES))
        fetch = self._fetcher.fetch(wanted, root.candidates, stall_s=timeout_s)
        with sole_error():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fetch.run)
                yield fetch
                nursery.cancel_scope.cancel()

    async def _enter(self, info: FileInfo, manifest: bytes) -> None:
        await self._shelf.enter(info, manifest)
        self._announcer.fetched(info.root_cid)
