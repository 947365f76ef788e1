"""What the API answers with about directories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel

from chiral.api.faults import Fault, fault_of
from chiral.api.records import as_text

if TYPE_CHECKING:
    from chiral.files.results import EntryFound, TreeAdded


class NotAdded(BaseModel):
    """What was left out of a directory, and why."""

    path: str
    error: Fault


class AddedTree(BaseModel):
    """A directory that was added, under its DAG root: `cid` and `dag_cid` are the same.

    `size` in bytes and `chunks` of all its files. `failed` counts what could not be read and is not in it; `faults` are
    the first thousand of that.
    """

    cid: str
    dag_cid: str
    name: str
    size: int
    chunks: int
    new_blocks: int
    new_bytes: int
    known: bool
    files: int
    directories: int
    links: int
    failed: int
    faults: list[NotAdded]

    @classmethod
    def of(cls, added: TreeAdded) -> Self:
        return cls(
            cid=str(added.root),
            dag_cid=str(added.root),
            name=as_text(added.name),
            size=added.size,
            chunks=added.chunks,
            new_blocks=added.new_blocks,
            new_bytes=added.new_bytes,
            known=added.known,
            files=added.files,
            directories=added.directories,
            links=added.links,
            failed=added.failed,
            faults=[NotAdded(path=as_text(fault.path), error=fault_of(fault.error)) for fault in added.faults],
        )


class TreeItem(BaseModel):
    """An entry of a directory. `size` in bytes of a file's content, 0 for a directory; `total_size` as it claims."""

    name: str
    cid: str
    type: Literal["file", "directory", "symlink"]
    size: int
    total_size: int | None

    @classmethod
    def of(cls, entry: EntryFound) -> Self:
        return cls(
            name=as_text(entry.name), cid=str(entry.cid), type=entry.kind, size=entry.size, total_size=entry.total_size
        )
