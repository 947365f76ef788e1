"""What the API answers on pins and collecting: the models of its JSON, and how the node's own values become them."""

from __future__ import annotations

import json
from typing import Self

from pydantic import BaseModel

from chiral.api.records import as_text
from chiral.block.cid import CID
from chiral.errors import ChiralError, UsageError
from chiral.interface.pins import Pin, PinKind
from chiral.pinning.cleaning import Cleaned
from chiral.pinning.collector import CollectionStatus
from chiral.pinning.pinner import Pinned
from chiral.pinning.progress import CollectionProgress


class PinEntry(BaseModel):
    """A pin. `created_at` in Unix seconds; `name` may be empty."""

    cid: str
    kind: PinKind
    name: str
    created_at: int

    @classmethod
    def of(cls, pin: Pin) -> Self:
        return cls(cid=str(pin.cid), kind=pin.kind, name=as_text(pin.name), created_at=pin.created_at)


class PinnedEntry(PinEntry):
    """A pin that was asked for: `new` unless it was there before; `blocks` of a DAG were found here or fetched."""

    new: bool
    blocks: int

    @classmethod
    def of_outcome(cls, pinned: Pinned) -> Self:
        entry = PinEntry.of(pinned.pin)
        return cls(**entry.model_dump(), new=pinned.new, blocks=pinned.blocks)


class PinList(BaseModel):
    """Pins of one CID."""

    items: list[PinEntry]


class PinPage(BaseModel):
    """Pins, direct ones first; `next` is the `after` of the next page, null on the last."""

    items: list[PinEntry]
    next: str | None


class CollectionEntry(BaseModel):
    """A collection: how far it has come, or what it came to when `phase` is `done`. Unix seconds, seconds and bytes.

    Of a dry run `freed_*` is what a real one would free. `resumed`: it went on with one that was cut short.
    """

    phase: str
    dry_run: bool
    resumed: bool
    blocks: int
    marked: int
    examined: int
    freed_blocks: int
    freed_bytes: int
    started_at: float
    finished_at: float
    seconds: float

    @classmethod
    def of(cls, progress: CollectionProgress) -> Self:
        return cls(
            phase=progress.phase,
            dry_run=progress.dry_run,
            resumed=progress.resumed,
            blocks=progress.blocks,
            marked=progress.marked,
            examined=progress.examined,
            freed_blocks=progress.freed_blocks,
            freed_bytes=progress.freed_bytes,
            started_at=progress.started_at,
            finished_at=progress.finished_at,
            seconds=round(progress.seconds, 3),
        )


class CollectionState(BaseModel):
    """The collection that goes on and the last that came to its end, each null where there is none."""

    running: CollectionEntry | None
    last: CollectionEntry | None

    @classmethod
    def of(cls, status: CollectionStatus) -> Self:
        running, last = status.running, status.last
        return cls(
            running=None if running is None else CollectionEntry.of(running),
            last=None if last is None else CollectionEntry.of(last),
        )


class Stopped(BaseModel):
    """Whether there was a collection to stop."""

    stopped: bool


class CleanedEntry(BaseModel):
    """What was removed, or of a dry run would be: files with their claimed size, and blocks that nothing kept."""

    dry_run: bool
    files: int
    file_bytes: int
    blocks: int
    block_bytes: int

    @classmethod
    def of(cls, cleaned: Cleaned, *, dry_run: bool) -> Self:
        collected = cleaned.collection
        return cls(
            dry_run=dry_run,
            files=cleaned.files,
            file_bytes=cleaned.file_bytes,
            blocks=0 if collected is None else collected.freed_blocks,
            block_bytes=0 if collected is None else collected.freed_bytes,
        )


def place_of(pin: Pin) -> str:
    """Where in a listing `pin` stands, as the `after` of the page behind it."""
    return json.dumps([pin.kind.value, str(pin.cid), pin.name], separators=(",", ":")).encode().hex()


def pin_at(after: bytes) -> Pin | None:
    """The pin that the bytes of an `after` name, None for none; raises `UsageError`."""
    if not after:
        return None
    try:
        kind, cid, name = json.loads(after)
        return Pin(CID.parse(cid), PinKind(kind), str(name))
    except (ValueError, TypeError, AttributeError, ChiralError) as error:
        raise UsageError("after: not the `next` of a page of pins") from error
