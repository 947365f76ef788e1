"""A file being read: its bytes in order, its claimed size held against what comes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, Self

from chiral.block.cid import CID
from chiral.dag.directory import NO_METADATA, Metadata
from chiral.errors import IntegrityError
from chiral.files.supply import Piece, Supply


class Reading(Protocol):
    """A file, or the part of one from `start` to before `stop`, to be read once from there on.

    `name` and `size` (bytes, of the whole file) are claims; `metadata` is what its DAG tells.
    """

    root: CID
    name: str
    size: int
    start: int
    stop: int
    metadata: Metadata

    @property
    def providers(self) -> int:
        """How many peers have brought blocks so far."""
        ...

    async def next_batch(self) -> list[Piece] | None:
        """The next bytes, or None at the end."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The same, piece by piece, none of them empty."""
        ...


class Pieces(ABC):
    """Iterating over what a subclass gives batch by batch."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()

    @abstractmethod
    async def next_batch(self) -> list[Piece] | None:
        """The next few pieces, or None at the end."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next piece that is not empty; ends and raises as `next_batch` does."""
        while True:
            while self._pieces:
                if piece := self._pieces.popleft():
                    return bytes(piece)
            batch = await self.next_batch()
            if batch is None:
                raise StopAsyncIteration
            self._pieces.extend(batch)


class FileReader(Pieces):
    """To be read once, from the start, by `next_batch` or by iterating. `name` and `size` (bytes) are claims."""

    metadata = NO_METADATA

    def __init__(
        self,
        root: CID,
        name: str,
        size: int,
        blocks: int,
        supply: Supply,
        on_whole: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__()
        self.root = root
        self.name = name
        self.size = self.stop = size
        self.start = 0
        self._blocks = blocks
        self._supply = supply
        self._on_whole = on_whole
        self._index = 0
        self._total = 0

    @property
    def providers(self) -> int:
        """How many peers have brought blocks so far."""
        return self._supply.providers

    async def next_batch(self) -> list[Piece] | None:
        """The next few blocks, or None once the file is whole and, if it was fetched, in the catalogue.

        Raises `IntegrityError` where the bytes are not what was claimed, and what fetching raises.
        """
        if self._index < self._blocks:
            batch = await self._supply.batch(self._index)
            self._index += len(batch)
            self._total += sum(map(len, batch))
            if self._total > self.size:
                raise IntegrityError(f"{self.root} claims {self.size} bytes and its blocks hold more")
            return batch
        if self._total != self.size:
            raise IntegrityError(f"{self.root} claims {self.size} bytes and its blocks hold {self._total}")
        if self._on_whole is not None:
            await self._on_whole()
            self._on_whole = None
        return None
