"""What a DAG comes to: blocks, bytes, depth, and how much of it is there more than once."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from contextlib import aclosing

import trio

from chiral.block.cid import CID, DAG_PB, RAW
from chiral.dag.dag_node import DagNode, read_node
from chiral.dag.unixfs import NodeType
from chiral.errors import MalformedContentError
from chiral.files.archive_blocks import BlockSource
from chiral.files.archive_order import DepthFirst
from chiral.files.archive_results import DagStat, Missing
from chiral.files.archive_seen import KEY_BYTES
from chiral.files.archive_walk import DagWalk, Visit
from chiral.files.results import Progress

MOST = (1 << 64) - 1
"""A small DAG may unfold to a tree of any size: counts end here."""
_LAYOUTS = {
    NodeType.DIRECTORY: "directory",
    NodeType.HAMT_SHARD: "sharded directory",
    NodeType.SYMLINK: "symlink",
    NodeType.METADATA: "metadata",
}


class UnfoldingOrder(DepthFirst):
    """Sums up what each node unfolds to: itself and, for every link in it, all that the link leads to."""

    def __init__(self, root: CID, key: bytes) -> None:
        super().__init__([root], key)
        self._blocks = array("Q")
        self._bytes = array("Q")
        self._totals = [0, 0]

    @property
    def unfolded(self) -> tuple[int, int]:
        """Blocks and bytes of the whole, once the walk is over."""
        return self._totals[0], self._totals[1]

    def take(self, size: int | None, links: Sequence[bytes]) -> None:
        self._blocks.append(size is not None)
        self._bytes.append(size or 0)
        if not links:
            self._add(self.inside, self.number)
        super().take(size, links)

    def met_again(self, number: int) -> None:
        self._add(self.inside, number)

    def closed(self, number: int) -> None:
        if number >= 0:
            self._add(self.inside, number)

    def _add(self, inside: int, number: int) -> None:
        """Put what `number` came to into the node that links to it."""
        for index, column in enumerate((self._blocks, self._bytes)):
            if inside < 0:
                self._totals[index] = min(MOST, self._totals[index] + column[number])
            else:
                column[inside] = min(MOST, column[inside] + column[number])


class DagMeasure:
    """One walk over the DAG below `root`."""

    def __init__(self, root: CID, source: BlockSource) -> None:
        self._root = root
        self._order = UnfoldingOrder(root, os.urandom(KEY_BYTES))
        self._walk = DagWalk(self._order, source)
        self._layout = ""
        self._blocks = self._size = self._links = self._depth = self._leaves = 0
        self._leaf_depths: set[int] = set()
        self._missing = Missing()

    async def run(self, progress: Progress | None = None) -> DagStat:
        """What it comes to; `progress` hears of its bytes. Raises what loading raises, not for what is missing."""
        async with aclosing(self._walk.batches()) as batches:
            async for batch in batches:
                for visit in batch:
                    self._take(visit)
                if progress is not None:
                    progress(self._size, None)
                await trio.lowlevel.checkpoint()
        unfolded_blocks, unfolded_size = self._order.unfolded
        return DagStat(
            root=self._root,
            layout=self._shape(),
            blocks=self._blocks,
            size=self._size,
            links=self._links,
            depth=self._depth,
            leaves=self._leaves,
            unfolded_blocks=unfolded_blocks,
            unfolded_size=unfolded_size,
            missing=self._missing,
        )

    def _take(self, visit: Visit) -> None:
        size = len(visit.data or b"")
        if visit.data is None:
            self._missing = self._missing.and_also(visit.cid)
        else:
            self._blocks += 1
            self._size += size
            self._links += visit.links
            self._depth = max(self._depth, visit.depth)
            if not visit.links:
                self._leaves += 1
                self._leaf_depths.add(visit.depth)
            if visit.number == 0:
                self._layout = layout_of(visit.cid, visit.data)

    def _shape(self) -> str:
        """Of a file: all its leaves at one depth, or not."""
        if self._layout != "file":
            return self._layout
        if not self._depth:
            return "block"
        return "balanced" if len(self._leaf_depths) == 1 else "trickle"


def layout_of(cid: CID, data: bytes | memoryview) -> str:
    """What a root is, `file` for any file."""
    if cid.codec == RAW:
        return "block"
    node = unixfs_of(cid, data)
    if node is None:
        return cid.codec_name
    return _LAYOUTS.get(node.type, "file")


def unixfs_of(cid: CID, data: bytes | memoryview) -> DagNode | None:
    """The file, directory or link that a block is the root of; None for anything else."""
    if cid.codec not in (RAW, DAG_PB):
        return None
    try:
        return read_node(cid, data)
    except MalformedContentError:
        return None
