"""What the routes on archives and DAGs answer with."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from chiral.files.archive_results import DagStat, ExportReport, ImportReport, Missing


class MissingBlocks(BaseModel):
    """Blocks that are not to be had: how many, and the CIDs of the first ten at most."""

    count: int
    first: list[str]

    @classmethod
    def of(cls, missing: Missing) -> Self:
        return cls(count=missing.count, first=[str(cid) for cid in missing.first])


class ExportedArchive(BaseModel):
    """An archive that was written. `root` is what its header names, `size` is in bytes."""

    root: str
    version: int
    blocks: int
    size: int
    path: str
    missing: MissingBlocks

    @classmethod
    def of(cls, report: ExportReport, path: str) -> Self:
        return cls(
            root=str(report.root),
            version=report.version,
            blocks=report.blocks,
            size=report.size,
            path=path,
            missing=MissingBlocks.of(report.missing),
        )


class ImportedDag(BaseModel):
    """A root of an archive: whether its block is `here`, whether all below it is (`whole`), whether it was `pinned`."""

    cid: str
    here: bool
    whole: bool
    pinned: bool


class ImportedArchive(BaseModel):
    """An archive that was taken in. Of its `blocks`, `new` were stored and `known` were here already; `size` in bytes.

    What lies below the roots and is not here counts as `missing`.
    """

    version: int
    roots: list[ImportedDag]
    blocks: int
    new: int
    known: int
    size: int
    missing: MissingBlocks

    @classmethod
    def of(cls, report: ImportReport) -> Self:
        roots = [
            ImportedDag(cid=str(root.cid), here=root.here, whole=root.whole, pinned=root.pinned)
            for root in report.roots
        ]
        return cls(
            version=report.version,
            roots=roots,
            blocks=report.blocks,
            new=report.new,
            known=report.known,
            size=report.size,
            missing=MissingBlocks.of(report.missing),
        )


class DagMeasures(BaseModel):
    """A DAG as a whole: sizes in bytes, each block counted once.

    `unfolded_blocks` and `unfolded_size` count each block as often as links lead to it (2^64-1 is that or more);
    `dedup_ratio` is how many times as large it would be with nothing shared.
    """

    cid: str
    layout: str = Field(examples=["balanced"])
    blocks: int
    size: int
    links: int
    depth: int
    leaves: int
    unfolded_blocks: int
    unfolded_size: int
    dedup_ratio: float
    missing: MissingBlocks

    @classmethod
    def of(cls, stat: DagStat) -> Self:
        return cls(
            cid=str(stat.root),
            layout=stat.layout,
            blocks=stat.blocks,
            size=stat.size,
            links=stat.links,
            depth=stat.depth,
            leaves=stat.leaves,
            unfolded_blocks=stat.unfolded_blocks,
            unfolded_size=stat.unfolded_size,
            dedup_ratio=round(stat.dedup_ratio, 3),
            missing=MissingBlocks.of(stat.missing),
        )
