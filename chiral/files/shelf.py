"""The files this node holds, and the promise that each has all of its blocks whatever is added or removed meanwhile."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.dag.file_info import FileInfo
from chiral.errors import IntegrityError, NotFoundError, StoreError
from chiral.files.manifest import read_held
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue, FileRecord

logger = logging.getLogger(__name__)

_NO_FILE = CID.of(b"")
"""A root no file has (that of an empty file is another): every file is one other than it."""


class Shelf:
    """Blocks and catalogue under one roof. A removal leaves blocks be that somebody uses, and drops them after that."""

    def __init__(self, blocks: Blockstore, catalogue: Catalogue, clock: Clock) -> None:
        self.blocks = blocks
        self.catalogue = catalogue
        self._clock = clock
        self._in_use: list[Sequence[CID]] = []
        self._spared: set[CID] = set()
        self._removal = trio.Lock()

    @asynccontextmanager
    async def using(self, cids: Sequence[CID]) -> AsyncIterator[None]:
        """Within the block no removal takes a block of `cids`, nor of what is appended to it meanwhile.

        Whoever appends awaits `settled` before relying on it.
        """
        self._in_use.append(cids)
        try:
            await self.settled()
            yield
        finally:
            self._in_use = [others for others in self._in_use if others is not cids]
            if self._spared:
                with trio.CancelScope(shield=True):
                    await self._drop_spared()

    async def settled(self) -> None:
        """Return once no removal is under way that may not know of the latest uses."""
        async with self._removal:
            pass

    async def info(self, root: CID) -> tuple[FileInfo, bytes] | None:
        """The FileInfo of a file held here, and its JSON; None if it is not held. Raises `IntegrityError`."""
        manifest = await self.catalogue.manifest(root)
        return None if manifest is None else (await read_held(root, manifest), manifest)

    async def missing(self, cids: Sequence[CID]) -> list[int]:
        """The indices of blocks that are not held; of equal blocks the first alone."""
        held = await self.blocks.has_many(cids)
        first: dict[bytes, int] = {}
        for index, (cid, here) in enumerate(zip(cids, held, strict=True)):
            if not here:
                first.setdefault(cid.multihash, index)
        return list(first.values())

    async def enter(self, info: FileInfo, manifest: bytes) -> FileRecord:
        """Put a file whose blocks are all here, and in use until this returns, into the catalogue."""
        record = self._record(info)
        await self.catalogue.put(record, manifest)
        return record

    async def enter_all(self, files: Sequence[tuple[FileInfo, bytes]]) -> None:
        """Put such files, each with its JSON, into the catalogue in one transaction."""
        await self.catalogue.put_many([(self._record(info), manifest) for info, manifest in files])

    def _record(self, info: FileInfo) -> FileRecord:
        return FileRecord(
            root=info.root_cid,
            name=info.name,
            size=info.size,
            chunks=len(info.chunk_cids),
            created_at=info.created_at,
            added_at=int(self._clock.wall()),
        )

    async def remove(self, root: CID) -> tuple[FileRecord, list[CID]]:
        """Forget a file and those of its blocks that no other file is made of; returns both.

        Not undone half-way: once begun it goes on to its end though cancelled. Raises `NotFoundError`.
        """
        async with self._removal:
            with trio.CancelScope(shield=True):
                removed = await self._remove(root)
        return removed

    async def _remove(self, root: CID) -> tuple[FileRecord, list[CID]]:
        record = await self.catalogue.get(root)
        if record is None:
            raise NotFoundError(f"{root} is not a file held here", hint="'chiral ls' shows those that are")
        try:
            found = await self.info(root)
        except IntegrityError as error:
            logger.warning("%s; its blocks stay in the store", error.message)
            found = None
        chunks = list(dict.fromkeys(found[0].chunk_cids)) if found is not None else []
        used = self._used()
        shared = await self.catalogue.chunk_users(root, chunks)
        own = [chunk for chunk, by_others in zip(chunks, shared, strict=True) if not by_others]
        self._spared.update(chunk for chunk in own if chunk.multihash in used)
        await self.catalogue.remove(root, [chunk for chunk in own if chunk.multihash not in used])
        return record, own

    async def _drop_spared(self) -> None:
        """Delete what removals spared and nobody uses any more."""
        async with self._removal:
            used = self._used()
            free = [cid for cid in self._spared if cid.multihash not in used]
            self._spared.difference_update(free)
            try:
                shared = await self.catalogue.chunk_users(_NO_FILE, free)
                await self.blocks.delete_many([cid for cid, by_files in zip(free, shared, strict=True) if not by_files])
            except StoreError as error:
                logger.warning("%d blocks that are not needed stay in the store: %s", len(free), error)

    def _used(self) -> set[bytes]:
        return {cid.multihash for cids in self._in_use for cid in cids}
