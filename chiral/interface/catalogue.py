"""The port to the file catalogue: the files this node holds and the manifest (FileInfo JSON) each is served with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chiral.block.cid import CID


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file. `size` in bytes, `created_at` and `added_at` in Unix seconds; `dag_root` once it is known."""

    root: CID
    name: str
    size: int
    chunks: int
    created_at: int
    added_at: int
    dag_root: CID | None = None


class Catalogue(Protocol):
    """Files by their root."""

    async def put(self, record: FileRecord, manifest: bytes) -> None:
        """Store or replace the record and its manifest (compact FileInfo JSON) durably, in one transaction."""
        ...

    async def put_many(self, entries: Sequence[tuple[FileRecord, bytes]]) -> None:
        """Store or replace records, each with its manifest, durably in one transaction: all of them or none."""
        ...

    async def get(self, root: CID) -> FileRecord | None: ...

    async def manifest(self, root: CID) -> bytes | None:
        """The FileInfo JSON that is served under `root`, or None."""
        ...

    async def manifests(self, roots: Sequence[CID]) -> list[bytes | None]:
        """`manifest` of each root, all of one moment."""
        ...

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[FileRecord]:
        """Up to `limit` records in the order of their root's multihash, those after multihash `after`."""
        ...

    async def remove(self, root: CID, delete_blocks: list[CID]) -> bool:
        """Forget the file and those of the blocks given that no other file is made of; False if it was not there.

        A kill in between leaves the file gone and at most some of its blocks behind.
        """
        ...

    async def chunk_users(self, root: CID, chunks: list[CID]) -> list[bool]:
        """For each chunk whether a file other than `root` is made of it too."""
        ...

    async def count(self) -> int: ...
