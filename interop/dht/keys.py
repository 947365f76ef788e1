"""Keys that nobody has announced yet: CIDs of numbered texts, the same on both sides of a pipe."""

from __future__ import annotations

from collections.abc import Iterator

from chiral.block.cid import CID


def numbered_cids(seed: str, count: int) -> Iterator[CID]:
    """The CIDs (version 1, raw, SHA-256) of `SEED 0`, `SEED 1` and so on."""
    for number in range(count):
        yield CID.of(f"{seed} {number}".encode())
