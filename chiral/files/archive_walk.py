"""Goes through a DAG in the order of an archive, reading ahead of it, a batch of blocks at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.files.archive_blocks import BlockSource, Data, Loaded, inline_block
from chiral.files.archive_order import DepthFirst, cid_of
from chiral.pinning.links import is_inline

_BATCH_BLOCKS = 1024
_BATCH_BYTES = 4 << 20
_READ_BLOCKS = 64
_READ_BYTES = 8 << 20
_READY_BYTES = 16 << 20
"""Blocks read ahead of their turn; beyond this the ones needed last are read again then."""
_LINK_BYTES = 80
_FETCHED_BLOCKS = 256
"""Fetched at once where one has to be."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A block: `data` is None if it is not to be had, `depth` counts links from the root, which has number 0."""

    cid: CID
    number: int
    depth: int
    data: Data | None
    links: int


class DagWalk:
    """One walk over what `order` begins with. Made for one use."""

    def __init__(self, order: DepthFirst, source: BlockSource) -> None:
        self._order = order
        self._source = source
        self._ready: dict[bytes, Loaded | None] = {}
        self._ready_bytes = 0
        self._read_blocks = 1
        self._read_bytes = 256 << 10

    async def batches(self) -> AsyncGenerator[list[Visit], None]:
        """All blocks, in order. Raises what loading raises. To be used under `contextlib.aclosing`."""
        batch: list[Visit] = []
        size = 0
        while (cid := self._order.next()) is not None:
            visit = await self._visit(cid)
            batch.append(visit)
            size += len(visit.data or b"")
            if size >= _BATCH_BYTES or len(batch) >= _BATCH_BLOCKS:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    async def _visit(self, cid: CID) -> Visit:
        number, depth = self._order.number, self._order.depth
        loaded = inline_block(cid) if is_inline(cid) else await self._loaded(cid)
        if loaded is None:
            self._order.take(None, ())
            return Visit(cid, number, depth, None, 0)
        self._order.take(len(loaded.data), loaded.links)
        return Visit(cid, number, depth, loaded.data, len(loaded.links))

    async def _loaded(self, cid: CID) -> Loaded | None:
        key = cid.buffer
        if key not in self._ready:
            await self._read(cid)
        loaded = self._ready.pop(key)
        self._ready_bytes -= _size(loaded)
        return loaded

    async def _read(self, first: CID) -> None:
        """Read the block needed now and those that most likely follow."""
        count = max(1, min(_READ_BLOCKS, _READ_BYTES * self._read_blocks // max(1, self._read_bytes)))
        wanted = {first.buffer: first}
        for key in self._order.ahead(count - 1):
            if key not in self._ready and key not in wanted:
                cid = cid_of(key)
                if not is_inline(cid):
                    wanted[key] = cid
        loaded = await self._source.load(list(wanted.values()), self._further)
        size = sum(map(_size, loaded))
        self._read_blocks, self._read_bytes = len(loaded), size
        self._make_room(size)
        self._ready.update(zip(wanted, loaded, strict=True))
        self._ready_bytes += size

    def _further(self) -> list[CID]:
        cids = map(cid_of, self._order.ahead(_FETCHED_BLOCKS))
        return [cid for cid in cids if not is_inline(cid)]

    def _make_room(self, size: int) -> None:
        """Drop what was read first, for a node above: its turn comes last."""
        while self._ready and self._ready_bytes + size > _READY_BYTES:
            key = next(iter(self._ready))
            self._ready_bytes -= _size(self._ready.pop(key))


def _size(loaded: Loaded | None) -> int:
    """The memory it takes, roughly."""
    return 0 if loaded is None else len(loaded.data) + _LINK_BYTES * len(loaded.links)
