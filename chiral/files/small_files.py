"""Small local files: each read, cut and described in one go, many of them in one turn of a worker thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chiral.block.cid import CID
from chiral.chunker.splitter import Chunker
from chiral.dag.dag_profile import DagChild
from chiral.dag.file_info import FileInfo
from chiral.errors import FileAccessError
from chiral.files.add_options import AddOptions
from chiral.files.cutting import Batch, Cutting
from chiral.files.entries import file_record
from chiral.files.local_metadata import metadata_of
from chiral.files.media_type import HEAD_BYTES
from chiral.files.results import FileAdded
from chiral.files.source import read_small
from chiral.interface.catalogue import FileRecord


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file that is in memory whole."""

    batch: Batch
    info: FileInfo
    manifest: bytes
    dag_root: DagChild
    record: FileRecord

    @property
    def cids(self) -> list[CID]:
        """Of all its blocks, the nodes too."""
        return [block.cid for block in (*self.batch.chunks, *self.batch.nodes)]

    def added(self, new: Sequence[int], known: bool) -> FileAdded:
        """The outcome, where chunks of the sizes `new` were not here before."""
        info, dag_root = self.info, self.dag_root
        return FileAdded(
            info.root_cid,
            dag_root.cid,
            info.name,
            info.size,
            chunks=len(info.chunk_cids),
            new_blocks=len(new),
            dag_bytes=dag_root.tsize,
            new_bytes=sum(new),
            known=known,
        )


def read_small_files(
    asked: Sequence[tuple[Path, str]], chunker: Chunker, options: AddOptions, now: int
) -> list[SmallFile | None]:
    """Each file, given as path and name; None for one that is not small or cannot be read. Blocks."""
    return [_read_one(path, name, chunker, options, now) for path, name in asked]


def _read_one(path: Path, name: str, chunker: Chunker, options: AddOptions, now: int) -> SmallFile | None:
    try:
        read = read_small(path)
    except FileAccessError:
        return None
    if read is None:
        return None
    metadata = metadata_of(read.status, mode=options.mode, mtime=options.mtime)
    cutting = Cutting(chunker, options.profile, len(read.data), metadata)
    if read.data:
        cutting.feed(read.data)
    batch = cutting.finish()
    info = FileInfo.of(name, len(read.data), [block.cid for block in batch.chunks], now)
    record = file_record(info, cutting.root.cid, now, read.data[:HEAD_BYTES])
    return SmallFile(batch, info, info.to_json(), cutting.root, record)
