"""Reading a file by its CID: blocks that are here from the store, the others from peers, in order and verified."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.dag.file_info import FileInfo
from chiral.errors import IntegrityError, RequestTimeoutError, sole_error
from chiral.events.bus import EventBus
from chiral.files.root import Root, RootResolver
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue, FileRecord
from chiral.interface.exchange import Exchange
from chiral.transfer.fetch import BlockFetch
from chiral.transfer.finder import Finder
from chiral.transfer.settings import TransferSettings

BATCH_BLOCKS = 16
_STALL_CHECK_S = 0.5


class FileReader:
    """A file being read. `name` and `size` are what its FileInfo claims; bytes that contradict `size` are an error."""

    def __init__(
        self, cid: CID, name: str, size: int, chunks: Sequence[CID], store: Blockstore, fetch: BlockFetch | None
    ) -> None:
        self.root = cid
        self.name = name
        self.size = size
        self._chunks = chunks
        self._store = store
        self._fetch = fetch

    @property
    def providers(self) -> int:
        """How many peers have brought blocks so far."""
        return self._fetch.providers if self._fetch is not None else 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for batch in self.batches():
            for piece in batch:
                yield bytes(piece)

    async def batches(self) -> AsyncIterator[list[bytes | memoryview]]:
        """The file's bytes in order, a few blocks at a time.

        Raises `IntegrityError` where they are not what was claimed, and what fetching raises.
        """
        index = total = 0
        while index < len(self._chunks):
            batch = await self._batch(index)
            index += len(batch)
            total += sum(map(len, batch))
            if total > self.size:
                break
            yield batch
        if total != self.size:
            raise IntegrityError(f"{self.root} claims {self.size} bytes and its blocks hold {total} or more")

    async def _batch(self, index: int) -> list[bytes | memoryview]:
        if self._fetch is not None and self._fetch.wants(index):
            return list(await self._fetch.take(index, BATCH_BLOCKS))
        end = index
        while end < min(index + BATCH_BLOCKS, len(self._chunks)) and not (self._fetch and self._fetch.wants(end)):
            end += 1
        cids = self._chunks[index:end]
        blocks = await self._store.get_many(cids)
        return await trio.to_thread.run_sync(_sound, cids, blocks)


def _sound(cids: Sequence[CID], blocks: Sequence[bytes | None]) -> list[bytes | memoryview]:
    """The blocks, each held against its CID: a block that rotted on the disk must not pass into a file."""
    for cid, data in zip(cids, blocks, strict=True):
        if data is None or not cid.matches(data):
            what = "is gone from" if data is None else "is damaged in"
            raise IntegrityError(f"block {cid} {what} the local store", hint="remove the file and get it again")
    return [data for data in blocks if data is not None]


class FileOpener:
    """Opens files for reading; what was fetched whole enters the catalogue and is served from then on."""

    def __init__(
        self,
        resolver: RootResolver,
        store: Blockstore,
        catalogue: Catalogue,
        exchange: Exchange,
        finder: Finder,
        clock: Clock,
        bus: EventBus,
        settings: TransferSettings,
        max_block_bytes: int,
    ) -> None:
        self._resolver = resolver
        self._store = store
        self._catalogue = catalogue
        self._exchange = exchange
        self._finder = finder
        self._clock = clock
        self._bus = bus
        self._settings = settings
        self._max_block_bytes = max_block_bytes

    @asynccontextmanager
    async def open(self, cid: CID, *, timeout_s: float) -> AsyncIterator[FileReader]:
        """The file `cid` names, to be read within the block; gives up after `timeout_s` seconds without progress.

        Raises `NoProvidersError`, `NotFoundError`, `IntegrityError`, `RequestTimeoutError` or another `ChiralError`.
        """
        root = await self._resolver.resolve(cid, timeout_s)
        if root.info is None:
            yield FileReader(cid, str(cid), len(root.data), [cid], self._store, None)
            return
        info = root.info
        held = await self._store.has_many(info.chunk_cids)
        missing = [index for index, here in enumerate(held) if not here]
        if not missing and root.local:
            yield FileReader(cid, info.name, info.size, info.chunk_cids, self._store, None)
            return
        fetch = self._start(cid, info, missing, root)
        with sole_error():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._complete, cid, info, root.manifest, fetch)
                nursery.start_soon(self._watch_for_stall, fetch, timeout_s, nursery.cancel_scope)
                yield FileReader(cid, info.name, info.size, info.chunk_cids, self._store, fetch)
                await fetch.finished.wait()
                nursery.cancel_scope.cancel()
        if not fetch.finished.is_set():
            raise RequestTimeoutError(f"{cid}: no progress for {timeout_s:g} s")

    def _start(self, cid: CID, info: FileInfo, missing: list[int], root: Root) -> BlockFetch:
        fetch = BlockFetch(
            info.chunk_cids,
            missing,
            exchange=self._exchange,
            store=self._store,
            finder=self._finder,
            root=cid,
            clock=self._clock,
            bus=self._bus,
            settings=self._settings,
            max_block_bytes=self._max_block_bytes,
        )
        for peer in root.peers:
            fetch.add_peer(peer)
        return fetch

    async def _complete(self, cid: CID, info: FileInfo, manifest: bytes, fetch: BlockFetch) -> None:
        """Fetch all blocks, then enter the file into the catalogue, so that others find it here."""
        await fetch.run()
        record = FileRecord(
            root=cid,
            name=info.name,
            size=info.size,
            chunks=len(info.chunk_cids),
            created_at=info.created_at,
            added_at=int(self._clock.wall()),
        )
        await self._catalogue.put(record, manifest)
        fetch.finished.set()

    async def _watch_for_stall(self, fetch: BlockFetch, timeout_s: float, scope: trio.CancelScope) -> None:
        """End a fetch that brings nothing for `timeout_s` seconds. A reader that is slow to take is no stall."""
        while not fetch.finished.is_set():
            await trio.sleep(min(_STALL_CHECK_S, timeout_s))
            if fetch.awaited and self._clock.monotonic() - fetch.progressed_at > timeout_s:
                scope.cancel()
