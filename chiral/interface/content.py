"""The port to getting content here whole: what a pin needs before it can keep anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chiral.block.cid import CID


class ContentSource(Protocol):
    """Content by CID, from here or from who has it, verified. What it fetches it stores."""

    async def root(self, cid: CID, *, timeout_s: float) -> bytes | None:
        """The block `cid`, here when this returns; None if it names a file, which then is catalogued and whole.

        Raises `NotFoundError`, `IntegrityError`, a `RemoteError` or a `LocalError`.
        """
        ...

    async def fetch(self, root: CID, cids: Sequence[CID], *, timeout_s: float) -> None:
        """Have blocks that lie below `root` and are not here; raises as `root` does."""
        ...
