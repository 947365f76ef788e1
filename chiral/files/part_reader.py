"""A part of a file being read: of one chunk after another where their places are known, else by reading up to it."""

from __future__ import annotations

from collections.abc import Sequence

from chiral.dag.directory import NO_METADATA
from chiral.dag.file_info import FileInfo
from chiral.errors import IntegrityError
from chiral.files.flat_range import ChunkPlace
from chiral.files.reader import FileReader, Pieces
from chiral.files.supply import Piece, Supply


class PlacedReader(Pieces):
    """The bytes from `start` to before `stop` of the file `info`, out of the chunks at `places`."""

    metadata = NO_METADATA

    def __init__(self, info: FileInfo, start: int, stop: int, places: Sequence[ChunkPlace], supply: Supply) -> None:
        super().__init__()
        self.root, self.name, self.size = info.root_cid, info.name, info.size
        self.start, self.stop = start, stop
        self._places = list(reversed(places))
        self._supply = supply

    @property
    def providers(self) -> int:
        """How many peers have brought blocks so far."""
        return self._supply.providers

    async def next_batch(self) -> list[Piece] | None:
        """The next chunk's bytes of the part, or None at its end. Raises `IntegrityError` for one of another size."""
        if not self._places:
            return None
        place = self._places.pop()
        data = (await self._supply.batch(place.index))[0]
        if len(data) != place.size:
            raise IntegrityError(
                f"chunk {place.index} of {self.root} has {len(data)} bytes where its neighbours have others",
                hint="read the file from its start",
            )
        return [memoryview(data)[max(self.start - place.start, 0) : self.stop - place.start]]


class PartReader(Pieces):
    """The same bytes out of what `whole` gives, which is read from its start and not beyond `stop`."""

    metadata = NO_METADATA

    def __init__(self, whole: FileReader, start: int, stop: int) -> None:
        super().__init__()
        self.root, self.name, self.size = whole.root, whole.name, whole.size
        self.start, self.stop = start, stop
        self._whole = whole
        self._at = 0 if start < stop else stop

    @property
    def providers(self) -> int:
        """How many peers have brought blocks so far."""
        return self._whole.providers

    async def next_batch(self) -> list[Piece] | None:
        """The next bytes of the part, or None at its end; raises as that of `whole`."""
        while self._at < self.stop:
            batch = await self._whole.next_batch()
            if batch is None:
                return None
            taken: list[Piece] = []
            for piece in batch:
                first, last = max(self.start - self._at, 0), self.stop - self._at
                self._at += len(piece)
                if first < len(piece) and last > 0:
                    taken.append(memoryview(piece)[first:last])
            if taken:
                return taken
        return None
