"""What a peer says about a file it fetched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fetched:
    """`seconds` from the command to the file in its place, as the peer measured it; `size` in bytes."""

    seconds: float
    size: int
