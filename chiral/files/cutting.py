"""One file on its way into blocks: cut into chunks, hashed, and put under the nodes of its DAG as it comes.

Everything here computes and is meant for a worker thread, one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chiral.block.block import Block
from chiral.chunker.fixed import FixedChunker
from chiral.chunker.splitter import Chunker
from chiral.dag.dag_profile import DagChild, DagProfile, leaf
from chiral.dag.described import described
from chiral.dag.directory import NO_METADATA, Metadata
from chiral.dag.file_layout import file_layout

BATCH_BYTES = 2 << 20
"""Cut and hashed at once; small beside what the store writes in the same time."""
_READ_BYTES = 256 << 10
_SEARCHED_AT_ONCE_BYTES = 1 << 20
"""What is cut by its content is searched anew from the last end of a piece: the more at once, the less of it twice."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Blocks in the file's order: its `chunks`, and the `nodes` of the DAG that have become whole over them.

    Where leaves are not raw they are among the nodes, and repeat the chunks' bytes.
    """

    chunks: list[Block]
    nodes: list[Block]


@dataclass(slots=True)
class _Made:
    chunks: list[Block] = field(default_factory=list)
    nodes: list[Block] = field(default_factory=list)


class Cutting:
    """Feed it the file's bytes, `cut` when it is `full`, and `finish`: then `root` is the DAG's."""

    def __init__(
        self, chunker: Chunker, profile: DagProfile, size: int | None = None, metadata: Metadata = NO_METADATA
    ) -> None:
        rule = chunker.for_size(size)
        self._splitter = rule.splitter()
        self._profile = profile
        self._layout = file_layout(profile)
        self._metadata = metadata
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._leaf: Block | None = None
        fixed_bytes = rule.size if isinstance(rule, FixedChunker) else _SEARCHED_AT_ONCE_BYTES
        self.read_bytes = max(fixed_bytes, _READ_BYTES)
        """Reads of so many bytes are cut with the fewest copies."""
        self._root: DagChild | None = None

    @property
    def root(self) -> DagChild:
        """The DAG's root, of a file that is finished."""
        assert self._root is not None, "the file has an end first"
        return self._root

    @property
    def full(self) -> bool:
        """Whether there is a batch to cut."""
        return self._waiting_bytes >= BATCH_BYTES

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the file; costs nothing."""
        self._waiting.append(data)
        self._waiting_bytes += len(data)

    def cut(self) -> Batch:
        """The blocks that are whole with what was fed."""
        made = self._cut_waiting()
        return Batch(made.chunks, made.nodes)

    def finish(self) -> Batch:
        """The last blocks."""
        made = self._cut_waiting()
        for piece in self._splitter.finish():
            self._add(piece, made)
        nodes, root = self._layout.finish()
        made.nodes += nodes
        if self._metadata != NO_METADATA:
            root = self._describe(root, made)
        self._root = root
        return Batch(made.chunks, made.nodes)

    def _cut_waiting(self) -> _Made:
        made = _Made()
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for data in waiting:
            for piece in self._splitter.feed(data):
                self._add(piece, made)
        return made

    def _add(self, piece: bytes, made: _Made) -> None:
        block, child = leaf(self._profile, piece)
        if self._profile.raw_leaves:
            made.chunks.append(block)
        else:
            made.chunks.append(Block.of(piece))
            made.nodes.append(block)
        self._leaf = block
        made.nodes += self._layout.add(child)

    def _describe(self, root: DagChild, made: _Made) -> DagChild:
        """The root with the file's metadata; the one without is dropped where it is not yet stored."""
        known = [*made.nodes, *([self._leaf] if self._leaf is not None else [])]
        plain = next(block for block in known if block.cid == root.cid)
        block, child = described(self._profile, root, plain.data, self._metadata)
        if plain in made.nodes:
            made.nodes.remove(plain)
        made.nodes.append(block)
        return child
