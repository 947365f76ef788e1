"""Entering what was added or fetched into the catalogue: files, files that have a DAG alone, directories."""

from __future__ import annotations

from collections.abc import Sequence

from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.files.known_file import joined
from chiral.files.media_type import media_type
from chiral.interface.catalogue import Catalogue, FileRecord

DIRECTORY_TYPE = "inode/directory"
Entry = tuple[FileRecord, bytes | None]
"""A record, and the FileInfo JSON of what has a Chiral root."""


def file_record(info: FileInfo, dag_root: CID | None, now: int, head: bytes = b"") -> FileRecord:
    """The record of a file with a Chiral root that begins with `head`, entered at `now` (Unix seconds)."""
    return FileRecord(
        root=info.root_cid,
        name=info.name,
        size=info.size,
        chunks=len(info.chunk_cids),
        created_at=info.created_at,
        added_at=now,
        dag_root=dag_root,
        mime=media_type(info.name, head),
    )


def dag_file_record(root: CID, name: str, size: int, chunks: int, now: int) -> FileRecord:
    """The record of a file that has its DAG alone: its leaves are no chunks that a Chiral root could name."""
    return FileRecord(root, name, size, chunks, now, now, dag_root=root, mime=media_type(name))


def directory_record(root: CID, name: str, size: int, chunks: int, now: int) -> FileRecord:
    """The record of a directory: `size` and `chunks` of all files in it."""
    return FileRecord(root, name, size, chunks, now, now, dag_root=root, kind="directory", mime=DIRECTORY_TYPE)


async def enter(catalogue: Catalogue, entries: Sequence[Entry]) -> list[bool]:
    """Put all of them, whose blocks are here and in use until this returns, into the catalogue in one transaction.

    What is said of those that are known already stays, and what is new joins it; for each whether it was. Raises
    `StoreError`.
    """
    known = await catalogue.get_many([record.root for record, _ in entries])
    await catalogue.put_many(
        [
            (record if before is None else joined(before, record), manifest)
            for (record, manifest), before in zip(entries, known, strict=True)
        ]
    )
    return [before is not None for before in known]
