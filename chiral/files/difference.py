"""What two files or directories held here have in common, told by their chunks: equal chunks have one CID."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chiral.block.cid import CID, RAW
from chiral.errors import NotFoundError
from chiral.files.labels import Labels
from chiral.files.shelf import Shelf
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import FileRecord
from chiral.pinning.links import links_of

_SIZES_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk that only one side has; `size` in bytes, None if it is not here."""

    cid: CID
    size: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Of the chunks of `a` and `b`, counted as often as they come: how many are shared, and those only one side has.

    Of a directory the chunks are the leaves of all files in it.
    """

    a: FileRecord
    b: FileRecord
    shared: int
    only_a: tuple[Chunk, ...]
    only_b: tuple[Chunk, ...]

    @property
    def new_bytes(self) -> int:
        """What `b` takes beyond `a`: each chunk once, as it is stored."""
        return sum({chunk.cid: chunk.size or 0 for chunk in self.only_b}.values())


class Differ:
    """Compares what one node holds."""

    def __init__(self, labels: Labels, shelf: Shelf) -> None:
        self._labels = labels
        self._shelf = shelf

    async def compare(self, a: CID, b: CID) -> Difference:
        """How `b` differs from `a`. Raises `NotFoundError` if one of them, or a node of it, is not held here."""
        older, newer = await self._labels.find(a), await self._labels.find(b)
        chunks_a, chunks_b = await self._chunks(older), await self._chunks(newer)
        shared = Counter(chunks_a) & Counter(chunks_b)
        return Difference(
            older,
            newer,
            shared=shared.total(),
            only_a=await self._without(chunks_a, shared),
            only_b=await self._without(chunks_b, shared),
        )

    async def _chunks(self, record: FileRecord) -> Sequence[CID]:
        found = await self._shelf.info(record.root)
        return await leaves(self._shelf.blocks, record.root) if found is None else found[0].chunk_cids

    async def _without(self, chunks: Sequence[CID], shared: Counter[CID]) -> tuple[Chunk, ...]:
        left = Counter(shared)
        only: list[CID] = []
        for cid in chunks:
            if left[cid] > 0:
                left[cid] -= 1
            else:
                only.append(cid)
        found: list[Chunk] = []
        for start in range(0, len(only), _SIZES_AT_ONCE):
            part = only[start : start + _SIZES_AT_ONCE]
            sizes = await self._shelf.blocks.sizes(part)
            found += [Chunk(cid, size) for cid, size in zip(part, sizes, strict=True)]
        return tuple(found)


async def leaves(blocks: Blockstore, root: CID) -> list[CID]:
    """The blocks below `root` that link to nothing, in order; raises `NotFoundError` if a node is not here.

    Raw blocks are not read.
    """
    found: list[CID] = []
    waiting = [root]
    while waiting:
        cid = waiting.pop()
        if cid.codec == RAW:
            found.append(cid)
            continue
        data = await blocks.get(cid)
        if data is None:
            raise NotFoundError(f"block {cid} of {root} is not held here", hint=f"fetch it with 'chiral get {root}'")
        links = links_of(cid, data)
        found += [] if links else [cid]
        waiting += reversed(links)
    return found
