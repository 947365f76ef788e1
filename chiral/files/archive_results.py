"""What the use cases on archives give back, and what they may be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chiral.block.cid import CID

FIRST_MISSING = 10
"""So many of the blocks that are missing are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Blocks that are not to be had: how many, and the first of them in the order of the archive."""

    count: int = 0
    first: tuple[CID, ...] = ()

    def and_also(self, cid: CID) -> Missing:
        return Missing(self.count + 1, (*self.first, cid) if len(self.first) < FIRST_MISSING else self.first)

    def __str__(self) -> str:
        named = ", ".join(map(str, self.first))
        return f"{named} and {self.count - len(self.first)} more" if self.count > len(self.first) else named


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """`offline` asks no peers; `partial`, which asks none either, leaves out what is not here.

    `timeout_s` is the longest wait for peers without progress.
    """

    version: Literal[1, 2] = 1
    offline: bool = False
    partial: bool = False
    timeout_s: float = 60.0

    @property
    def asks_peers(self) -> bool:
        return not (self.offline or self.partial)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """An archive that was written: `root` is what its header names, `size` its bytes."""

    root: CID
    version: int
    blocks: int
    size: int
    missing: Missing = Missing()


@dataclass(frozen=True, slots=True)
class ImportedRoot:
    """A root of an archive: whether its block is here now, whether all below it is, and whether it was pinned."""

    cid: CID
    here: bool
    whole: bool = False
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class ImportReport:
    """An archive that was taken in. `blocks` were in it, `new` of them not here before, `known` were here already.

    Sizes in bytes; `missing` is what lies below its roots and is not here: the archive was a partial one.
    """

    version: int
    roots: tuple[ImportedRoot, ...]
    blocks: int
    new: int
    known: int
    size: int
    missing: Missing = Missing()


@dataclass(frozen=True, slots=True)
class DagStat:
    """A DAG as a whole.

    `blocks` and `size` (bytes) count each block once, `links` all links in them, `unfolded_blocks` and `unfolded_size`
    each as often as links lead to it (2^64-1: that or more). `layout` says what the root is: `block`, `balanced`,
    `trickle`, `directory`, `sharded directory`, `symlink`, or a codec's name.
    """

    root: CID
    layout: str
    blocks: int
    size: int
    links: int
    depth: int
    leaves: int
    unfolded_blocks: int
    unfolded_size: int
    missing: Missing = Missing()

    @property
    def dedup_ratio(self) -> float:
        """How many times as large it would be if nothing in it were shared; 1 where nothing is."""
        return self.unfolded_size / self.size if self.size else 1.0
