"""What the use cases on files give back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from chiral.block.cid import CID
from chiral.errors import ChiralError

EntryKind = Literal["file", "directory", "symlink"]
Progress = Callable[[int, int | None], None]
"""Called with the bytes done and the bytes in all (None while that is not known)."""


@dataclass(frozen=True, slots=True)
class FileAdded:
    """A file that was added. `root` is what any Chiral peer fetches; `dag_root` its UnixFS root where one was made.

    `new_blocks` of its `chunks`, of `new_bytes` together, were not here before; `known` is whether the file was in the
    catalogue already. `dag_bytes` is what the blocks of its DAG come to.
    """

    root: CID
    dag_root: CID | None
    name: str
    size: int
    chunks: int
    new_blocks: int
    dag_bytes: int = 0
    new_bytes: int = 0
    known: bool = False


@dataclass(frozen=True, slots=True)
class NotAdded:
    """What could not be added of a directory, and why: `path` as it is on this machine."""

    path: str
    error: ChiralError


@dataclass(frozen=True, slots=True)
class TreeAdded:
    """A directory that was added, and its DAG root; `size` in bytes and `chunks` of all its files.

    `failed` counts what could not be added and so is not in it; `faults` are the first of those.
    """

    root: CID
    name: str
    size: int
    chunks: int
    new_blocks: int
    files: int
    directories: int
    links: int
    failed: int = 0
    faults: tuple[NotAdded, ...] = ()
    new_bytes: int = 0
    known: bool = False


@dataclass(frozen=True, slots=True)
class FileSaved:
    """What was fetched and written to `path`; `providers` peers brought blocks, 0 where all was here already.

    `files` counts those of a directory, which has no file at `path` itself; None for a file.
    """

    root: CID
    name: str
    size: int
    path: str
    providers: int
    seconds: float
    files: int | None = None

    def taking(self, seconds: float) -> FileSaved:
        """The same, and how long it took."""
        return replace(self, seconds=seconds)


@dataclass(frozen=True, slots=True)
class EntryFound:
    """What stands in a directory under `name`.

    `size` in bytes: a file's content, a symlink's target, 0 for a directory; `total_size` what all blocks below come
    to, as it claims, None where it does not tell.
    """

    name: str
    cid: CID
    kind: EntryKind
    size: int
    total_size: int | None
