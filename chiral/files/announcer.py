"""Who is told of the files this node holds, to tell the swarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chiral.block.cid import CID


class Announcer(Protocol):
    """Told what this node holds and no longer holds."""

    async def added(self, *roots: CID) -> None:
        """Announce new files; returns once their roots are announced or that has taken too long."""
        ...

    def fetched(self, root: CID) -> None:
        """Announce, some time, a file that was fetched and is whole."""
        ...

    async def removed(self, root: CID, chunks: Sequence[CID]) -> None:
        """Announce the root and those chunks no longer."""
        ...
