"""The port to pins: what the user wants kept, whatever else is removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chiral.block.cid import CID


class PinKind(StrEnum):
    """What a pin keeps: the block alone, or with everything its links lead to; a file's root keeps the file."""

    DIRECT = "direct"
    RECURSIVE = "recursive"


@dataclass(frozen=True, slots=True)
class Pin:
    """A CID is kept while it has a pin. One CID may have several, each with another name; "" is a name too.

    `created_at` in Unix seconds.
    """

    cid: CID
    kind: PinKind
    name: str = ""
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class PinCounts:
    """How many pins there are of each kind."""

    direct: int
    recursive: int


class Pins(Protocol):
    """Pins that outlive the process. A pin is its kind, its CID's codec and multihash, and its name."""

    async def put(self, pin: Pin) -> bool:
        """Write it durably; False if there was one already, which stays as it was.

        A recursive pin takes the place of a direct one of the same CID and name.
        """
        ...

    async def remove(self, pins: list[Pin]) -> int:
        """Remove those given that are there, durably and all at once; returns how many were."""
        ...

    async def of(self, cid: CID) -> list[Pin]:
        """The pins of just this CID."""
        ...

    async def page(self, after: Pin | None = None, limit: int = 1000, kind: PinKind | None = None) -> list[Pin]:
        """Up to `limit` pins, direct ones first, in the order of codec, multihash and name, those behind `after`."""
        ...

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        """For each whether just this CID has a pin."""
        ...

    async def any_linked(self) -> bool:
        """Whether there is a pin of anything but a raw block or a file: of a block that may name others."""
        ...

    async def counts(self) -> PinCounts: ...
