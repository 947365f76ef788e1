"""A file, or a part of one, being read out of its DAG: only the blocks that hold the part are asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chiral.block.cid import CID, RAW
from chiral.dag.dag_node import DagNode, Want
from chiral.dag.directory import NO_METADATA, Metadata
from chiral.dag.file_reader import read_file
from chiral.errors import IntegrityError
from chiral.files.dag_blocks import DagBlocks
from chiral.files.reader import Pieces
from chiral.files.span import Span
from chiral.files.supply import Piece

_BATCH_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Whole:
    """A file that was read whole: its leaves in order, if those are raw and hold all of it; else None."""

    node: DagNode
    leaves: tuple[CID, ...] | None
    blocks: int


def metadata_in(node: DagNode) -> Metadata:
    """What a file or directory says of its mode and time."""
    return NO_METADATA if node.unixfs is None else Metadata(node.unixfs.mode, node.unixfs.mtime)


class DagFileReader(Pieces):
    """To be read once. `on_whole` is called at the end of a file that was read from its start to its end."""

    def __init__(
        self,
        node: DagNode,
        name: str,
        span: Span,
        blocks: DagBlocks,
        on_whole: Callable[[Whole], Awaitable[None]] | None = None,
        *,
        fetched: bool = False,
    ) -> None:
        super().__init__()
        self.root = node.cid
        self.name = name
        self.size = node.file_size
        self.start, self.stop = span.within(self.size)
        self.metadata = metadata_in(node)
        self._node = node
        self._blocks = blocks
        self._on_whole = on_whole
        self._fetched = fetched
        self._walk = read_file(node.cid, self.start, self.stop)
        self._said = next(self._walk, None)
        self._done = 0
        self._leaves: list[CID] = []
        self._leaf_bytes = 0
        self._asked = 0

    @property
    def providers(self) -> int:
        """How many peers have brought blocks so far."""
        return max(self._blocks.providers, int(self._fetched))

    async def next_batch(self) -> list[Piece] | None:
        """The next bytes, or None once that was all and, if it was fetched and whole, is in the catalogue.

        Raises `MalformedContentError` where the DAG is none of a file, and what fetching raises.
        """
        pieces: list[Piece] = []
        gathered = 0
        while self._said is not None and gathered < _BATCH_BYTES:
            if not isinstance(self._said, Want):
                pieces.append(self._said)
                gathered += len(self._said)
                self._said = next(self._walk, None)
            elif pieces and not self._blocks.at_hand(self._said):
                break
            else:
                await self._answer(self._said)
        self._done += gathered
        if not pieces:
            await self._finish()
            return None
        return pieces

    async def _answer(self, want: Want) -> None:
        if self._asked == 0 and want.cid == self._node.cid:
            data = self._node.raw
        else:
            data = await self._blocks.block(want)
        self._asked += 1
        if want.cid.codec == RAW and self._on_whole is not None:
            self._leaves.append(want.cid)
            self._leaf_bytes += len(data)
        try:
            self._said = self._walk.send(data)
        except StopIteration:
            self._said = None

    async def _finish(self) -> None:
        if self._done != self.stop - self.start:
            raise IntegrityError(f"{self.root} claims {self.size} bytes and its blocks hold others")
        if self._on_whole is not None and self._done == self.size:
            leaves = tuple(self._leaves) if self._leaf_bytes == self.size else None
            await self._on_whole(Whole(self._node, leaves, self._asked))
            self._on_whole = None
