"""Opens files for reading; what was fetched and read whole enters the catalogue and is served from then on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from chiral.block.cid import CID, RAW
from chiral.dag.file_info import FileInfo
from chiral.errors import InvalidCidError, sole_error
from chiral.files.announcer import Announcer
from chiral.files.reader import FileReader
from chiral.files.resolver import RootResolver
from chiral.files.root import Root
from chiral.files.shelf import Shelf
from chiral.files.supply import FetchedBlocks, HeldBlocks, OneBlock
from chiral.transfer.fetch import BlockFetcher, Wanted

_MOST_EXPECTED_BYTES = 2 << 20
"""Of one block: the most there is on the wire, whatever size a FileInfo claims."""


class FileOpener:
    """One node's: joins what is here with what is fetched."""

    def __init__(self, resolver: RootResolver, fetcher: BlockFetcher, shelf: Shelf, announcer: Announcer) -> None:
        self._resolver = resolver
        self._fetcher = fetcher
        self._shelf = shelf
        self._announcer = announcer

    @asynccontextmanager
    async def open(self, cid: CID, *, timeout_s: float) -> AsyncIterator[FileReader]:
        """The file `cid` names, to be read within the block; gives up after `timeout_s` seconds without progress.

        Leaving the block before the end ends the fetch. Raises `InvalidCidError` for a CID that cannot be a file's,
        `NoProvidersError`, `NotFoundError`, `IntegrityError`, `RequestTimeoutError` or another `ChiralError`.
        """
        if cid.codec != RAW:
            raise InvalidCidError(
                f"{cid} names a {cid.codec_name} node, not a file", hint="'chiral block get' gives the block itself"
            )
        root = await self._resolver.resolve(cid, timeout_s)
        if root.info is None:
            yield FileReader(cid, str(cid), len(root.data), 1, OneBlock(root.data, providers=int(not root.local)))
            return
        async with self._shelf.using(root.info.chunk_cids), self._reading(root.info, root, timeout_s) as reader:
            yield reader

    @asynccontextmanager
    async def _reading(self, info: FileInfo, root: Root, timeout_s: float) -> AsyncIterator[FileReader]:
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
        wanted = Wanted(info.root_cid, cids, missing, min(info.size // len(cids), _MOST_EXPECTED_BYTES))
        fetch = self._fetcher.fetch(wanted, root.candidates, stall_s=timeout_s)
        with sole_error():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fetch.run)
                yield reader(FetchedBlocks(fetch, held))
                nursery.cancel_scope.cancel()

    async def _enter(self, info: FileInfo, manifest: bytes) -> None:
        await self._shelf.enter(info, manifest)
        self._announcer.fetched(info.root_cid)
