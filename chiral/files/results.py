"""What the use cases on files give back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chiral.block.cid import CID

Progress = Callable[[int, int | None], None]
"""Called with the bytes done and the bytes in all (None while that is not known)."""


@dataclass(frozen=True, slots=True)
class FileAdded:
    """A file that was added. `root` is what any Chiral peer fetches; `dag_root` its UnixFS root where one was made."""

    root: CID
    dag_root: CID | None
    name: str
    size: int
    chunks: int
    new_blocks: int


@dataclass(frozen=True, slots=True)
class FileSaved:
    """A file that was fetched and written to `path`; `providers` peers brought blocks, 0 where all was here already."""

    root: CID
    name: str
    size: int
    path: str
    providers: int
    seconds: float
