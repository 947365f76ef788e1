"""The files this node holds, and the promise that each has all of its blocks whatever is added or removed meanwhile."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.dag.file_info import FileInfo
from chiral.errors import IntegrityError, MalformedContentError, NotFoundError, PinnedError, StoreError
from chiral.files.entries import enter, file_record
from chiral.files.manifest import read_held
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue, FileRecord
from chiral.interface.pins import Pins
from chiral.pinning.links import links_of, may_link
from chiral.pinning.uses import BlockUses

logger = logging.getLogger(__name__)

_NO_FILE = CID.of(b"")
"""A root no file has (that of an empty file is another): every file is one other than it."""
_MAX_DEPTH = 64
"""Of the DAG of a file: deeper than any that is made of one; what lies further down is left to a collection."""


class Shelf:
    """Blocks and catalogue under one roof. A removal leaves blocks be that somebody uses, and drops them after that.

    Where DAGs are kept, by pins or directories, it leaves all blocks to the next collection: which of them those need
    only going through them can tell. With `pins`, what is pinned is not removed.
    """

    def __init__(
        self,
        blocks: Blockstore,
        catalogue: Catalogue,
        clock: Clock,
        *,
        uses: BlockUses | None = None,
        pins: Pins | None = None,
    ) -> None:
        self.blocks = blocks
        self.catalogue = catalogue
        self.uses = uses or BlockUses()
        self._clock = clock
        self._pins = pins
        self._spared: set[CID] = set()

    @asynccontextmanager
    async def using(self, cids: Sequence[CID]) -> AsyncIterator[None]:
        """Within the block no removal takes a block of `cids`, nor of what is appended to it meanwhile.

        Whoever appends awaits `settled` before relying on it. See `BlockUses.using`.
        """
        try:
            async with self.uses.using(cids):
                yield
        finally:
            if self._spared:
                with trio.CancelScope(shield=True):
                    await self._drop_spared()

    async def settled(self) -> None:
        """Return once no removal is under way that may not know of the latest uses."""
        await self.uses.settled()

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

    async def enter(self, info: FileInfo, manifest: bytes, *, dag_root: CID | None = None) -> FileRecord:
        """Put a file whose blocks are all here, and in use until this returns, into the catalogue."""
        record = file_record(info, dag_root, int(self._clock.wall()))
        await enter(self.catalogue, [(record, manifest)])
        return record

    async def remove(self, root: CID) -> tuple[FileRecord, list[CID]]:
        """Forget a file and those of its blocks that no other file is made of; returns both.

        Not undone half-way: once begun it goes on to its end though cancelled. Raises `NotFoundError`, `PinnedError`.
        """
        async with self.uses.removing():
            with trio.CancelScope(shield=True):
                removed = await self._remove(root)
        return removed

    async def _remove(self, root: CID) -> tuple[FileRecord, list[CID]]:
        record = await self.catalogue.get(root)
        if record is None:
            raise NotFoundError(f"{root} is not a file held here", hint="'chiral ls' shows those that are")
        await self._require_unpinned(record)
        chunks = await self._chunks(root)
        shared = await self.catalogue.chunk_users(root, chunks)
        own = [chunk for chunk, by_others in zip(chunks, shared, strict=True) if not by_others]
        if await self._dags_are_kept():
            await self.catalogue.remove(root, [])
            return record, own
        used = self.uses.in_use()
        self._spared.update(chunk for chunk in own if chunk.multihash in used)
        free = await self._unpinned([chunk for chunk in own if chunk.multihash not in used])
        nodes = await self._own_nodes(record, {chunk.multihash for chunk in free})
        await self.catalogue.remove(root, [*free, *nodes])
        return record, own

    async def _require_unpinned(self, record: FileRecord) -> None:
        if self._pins is None:
            return
        for cid in dict.fromkeys(cid for cid in (record.root, record.dag_root) if cid is not None):
            for pin in await self._pins.of(cid):
                named = f" as {pin.name!r}" if pin.name else ""
                raise PinnedError(f"{cid} is pinned{named}", hint=f"'chiral pin rm {cid}' first")

    async def _chunks(self, root: CID) -> list[CID]:
        """The blocks that the file's manifest names, each once."""
        try:
            found = await self.info(root)
        except IntegrityError as error:
            logger.warning("%s; its blocks stay in the store", error.message)
            found = None
        return list(dict.fromkeys(found[0].chunk_cids)) if found is not None else []

    async def _dags_are_kept(self) -> bool:
        """Whether there are DAGs that may need any block at all: kept, or just being completed to be kept."""
        if self.uses.incomplete or await self.catalogue.dag_count():
            return True
        return self._pins is not None and await self._pins.any_linked()

    async def _unpinned(self, blocks: list[CID]) -> list[CID]:
        """Those that have no pin of their own."""
        if self._pins is None or not blocks:
            return blocks
        pinned = await self._pins.has_many(blocks)
        return [cid for cid, stays in zip(blocks, pinned, strict=True) if not stays]

    async def _own_nodes(self, record: FileRecord, leaves: set[bytes]) -> list[CID]:
        """The nodes of a file's DAG that no other file has: those above a block of `leaves`, its own alone.

        A node belongs to another file only if all below it does.
        """
        if record.dag_root is None or not leaves:
            return []
        verdicts: dict[CID, bool] = {}
        try:
            await self._judge(record.dag_root, leaves, verdicts, _MAX_DEPTH)
        except (MalformedContentError, StoreError, IntegrityError) as error:
            logger.warning("nodes of %s stay in the store: %s", record.dag_root, error)
        return [node for node, is_own in verdicts.items() if is_own]

    async def _judge(self, node: CID, leaves: set[bytes], verdicts: dict[CID, bool], depth: int) -> bool:
        """Whether `node` is its file's own; `verdicts` are given on it and the nodes below it."""
        if not may_link(node):
            return node.multihash in leaves
        if node in verdicts:
            return verdicts[node]
        verdicts[node] = False
        block = await self.blocks.get(node) if depth else None
        for link in links_of(node, block) if block is not None else []:
            # All of them: one that is shared does not make those beside it so.
            verdicts[node] |= await self._judge(link, leaves, verdicts, depth - 1)
        return verdicts[node]

    async def _drop_spared(self) -> None:
        """Delete what removals spared and nobody uses any more."""
        async with self.uses.removing():
            used = self.uses.in_use()
            free = [cid for cid in self._spared if cid.multihash not in used]
            self._spared.difference_update(free)
            try:
                shared = await self.catalogue.chunk_users(_NO_FILE, free)
                dead = await self._unpinned([cid for cid, by_files in zip(free, shared, strict=True) if not by_files])
                if not await self._dags_are_kept():
                    await self.blocks.delete_many(dead)
            except StoreError as error:
                logger.warning("%d blocks that are not needed stay in the store: %s", len(free), error)
