"""The port to the file catalogue: what this node holds, described, each with its manifest (FileInfo JSON)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from chiral.block.cid import CID

Kind = Literal["file", "directory", "dag"]
"""`dag` is a Merkle DAG that is neither a file nor a directory."""
Place = tuple[int, CID]
"""Where a record stands in the order of searches: when it was added (Unix seconds), and its root."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file, directory or other DAG.

    `root` is what it is catalogued under and asked for by: a file's Chiral root; the DAG root of what has none. `size`
    in bytes; `created_at`, `added_at` and `expires_at` in Unix seconds; `chunks` of a directory are all of its files'.
    """

    root: CID
    name: str
    size: int
    chunks: int
    created_at: int
    added_at: int
    dag_root: CID | None = None
    """The UnixFS root, once it is known."""
    kind: Kind = "file"
    mime: str = ""
    """What the content is, as far as name and first bytes tell; empty where nobody looked."""
    tags: tuple[str, ...] = ()
    """Sorted, each once."""
    expires_at: int | None = None
    """When it is removed by itself; None: never."""
    other_names: tuple[str, ...] = ()
    """Names the same content was added under later."""

    @property
    def chiral_root(self) -> CID | None:
        """The flat root that any Chiral peer fetches; None for what only has a DAG root."""
        return None if self.root == self.dag_root else self.root

    @property
    def place(self) -> Place:
        return self.added_at, self.root


@dataclass(frozen=True, slots=True)
class FileQuery:
    """What a search asks for; all that is given must hold. Sizes in bytes, times (`added_at`) in Unix seconds."""

    text: str = ""
    """In any of its names, whatever the case; several words must all be there."""
    mime: str = ""
    """A type such as `image/png`, or all of a kind: `image/*` or `image`."""
    tags: tuple[str, ...] = ()
    kind: Kind | None = None
    larger: int | None = None
    """At least so many bytes."""
    smaller: int | None = None
    """At most so many bytes."""
    since: int | None = None
    """Added then or later."""
    before: int | None = None
    """Added earlier than then."""


class Catalogue(Protocol):
    """What is held here, by root."""

    async def put(self, record: FileRecord, manifest: bytes | None) -> None:
        """Store or replace the record durably, in one transaction with its manifest (compact FileInfo JSON).

        What has no Chiral root has no manifest.
        """
        ...

    async def put_many(self, entries: Sequence[tuple[FileRecord, bytes | None]]) -> None:
        """Store or replace records, each with its manifest, durably in one transaction: all of them or none."""
        ...

    async def amend(self, root: CID, change: Callable[[FileRecord], FileRecord]) -> FileRecord | None:
        """Replace the record under `root` by what `change` makes of it, in one transaction; None if there is none.

        `change` is called in a thread, leaves `root` as it is and may raise a `ChiralError`: then nothing is changed.
        """
        ...

    async def get(self, root: CID) -> FileRecord | None:
        """What is catalogued under `root`."""
        ...

    async def get_many(self, roots: Sequence[CID]) -> list[FileRecord | None]:
        """`get` of each root, all of one moment."""
        ...

    async def by_dag_root(self, dag_root: CID) -> FileRecord | None:
        """What has this UnixFS root, of several a file with a Chiral root first; None if nothing has."""
        ...

    async def manifest(self, root: CID) -> bytes | None:
        """The FileInfo JSON that is served under `root`, or None."""
        ...

    async def manifests(self, roots: Sequence[CID]) -> list[bytes | None]:
        """`manifest` of each root, all of one moment."""
        ...

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[FileRecord]:
        """Up to `limit` records in the order of their root's multihash, those after multihash `after`."""
        ...

    async def search(self, query: FileQuery, after: Place | None = None, limit: int = 100) -> list[FileRecord]:
        """Up to `limit` records that fit, those added last first, beginning behind the place `after`."""
        ...

    async def expired(self, now: float, limit: int = 1000) -> list[CID]:
        """The roots of up to `limit` records whose `expires_at` has come, the longest expired first."""
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

    async def dag_count(self) -> int:
        """How many records have their DAG alone and no manifest: `chunk_users` knows nothing of their blocks."""
        ...
