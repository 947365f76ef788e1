"""What the API says of the store's upkeep."""

from __future__ import annotations

from dataclasses import asdict
from typing import Self

from pydantic import BaseModel, Field

from chiral.store.quarantine import Quarantined
from chiral.store.verify_run import VerifyRun


class VerifyWish(BaseModel):
    """How to verify; what is not given is as configured. `rate_bytes` a second."""

    rate_bytes: int | None = Field(None, ge=1)
    repair: bool | None = None


class VerifyStatus(BaseModel):
    """The verification under way, or the last one. Sizes in bytes, times in Unix seconds (0: not yet).

    `names` are damaged blocks, the first thousand of the run; the quarantine has all.
    """

    state: str
    rate_bytes: int
    repair: bool
    started_at: float
    finished_at: float
    resumed: bool
    blocks: int
    size_bytes: int
    total_blocks: int
    total_bytes: int
    damaged: int
    repaired: int
    unverifiable: int
    names: list[str]
    error: str

    @classmethod
    def of(cls, run: VerifyRun) -> Self:
        return cls(**{name: value for name, value in asdict(run).items() if name in cls.model_fields})


class DamagedBlock(BaseModel):
    """A block in quarantine: bytes kept of it, why, since when (Unix seconds), whether a sound one is held again."""

    cid: str
    size: int
    reason: str
    found_at: float
    replaced: bool

    @classmethod
    def of(cls, entry: Quarantined) -> Self:
        return cls(
            cid=str(entry.cid),
            size=entry.size_bytes,
            reason=entry.reason,
            found_at=entry.found_at,
            replaced=entry.replaced,
        )


class DamagedPage(BaseModel):
    """Blocks in quarantine in the order of their hashes; `next` is the `after` of the next page, null on the last."""

    items: list[DamagedBlock]
    next: str | None


class CompactedStore(BaseModel):
    """The store's size in bytes on the disk before and after compaction."""

    before_bytes: int
    after_bytes: int


class BackupList(BaseModel):
    """The directories of backups made before the store's layout changed."""

    items: list[str]


class Freed(BaseModel):
    """How many bytes were given back to the disk."""

    freed_bytes: int
