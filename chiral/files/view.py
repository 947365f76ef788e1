"""A file's metadata laid out for reading, together with the state its blocks are in."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import IntegrityError
from chiral.files.integrity import BlockCheck, check_blocks
from chiral.files.labels import Labels
from chiral.files.shelf import Shelf
from chiral.interface.catalogue import FileRecord


@dataclass(frozen=True, slots=True)
class FileView:
    """`chunk_bytes` and `last_chunk_bytes` are the sizes of a file's first and last chunk, None for one not here.

    `first_chunks` are the CIDs of the first few. `manifest_sound` is false where the list of chunks itself is damaged.
    """

    record: FileRecord
    chunk_bytes: int | None
    last_chunk_bytes: int | None
    first_chunks: tuple[CID, ...]
    manifest_sound: bool
    check: BlockCheck

    @property
    def state(self) -> str:
        """`whole`, `damaged` or `missing`."""
        return self.check.state if self.manifest_sound else "damaged"


_FIRST_CHUNKS = 8


class Viewer:
    """Views of the files held here."""

    def __init__(self, labels: Labels, shelf: Shelf) -> None:
        self._labels = labels
        self._shelf = shelf

    async def view(self, cid: CID) -> FileView:
        """Everything known of a file, each of its blocks hashed again. Raises `NotFoundError`, `StoreError`."""
        record = await self._labels.find(cid)
        info, sound = await self._info(record.root)
        chunks = () if info is None else info.chunk_cids
        roots = [*chunks, *([record.dag_root] if record.dag_root is not None else [])]
        check = await check_blocks(self._shelf.blocks, roots)
        return FileView(
            record,
            chunk_bytes=await self._size(chunks[:1]),
            last_chunk_bytes=await self._size(chunks[-1:]),
            first_chunks=chunks[:_FIRST_CHUNKS],
            manifest_sound=sound,
            check=check,
        )

    async def _info(self, root: CID) -> tuple[FileInfo | None, bool]:
        """The manifest of a file, None for what has none, and whether it is sound."""
        try:
            found = await self._shelf.info(root)
        except IntegrityError:
            return None, False
        return (None, True) if found is None else (found[0], found[0].verify(root))

    async def _size(self, chunk: tuple[CID, ...]) -> int | None:
        return await self._shelf.blocks.size(chunk[0]) if chunk else None
