"""The port to fetching one block from one peer."""

from __future__ import annotations

from typing import Protocol

from chiral.block.cid import CID
from chiral.interface.peer import PeerId


class Exchange(Protocol):
    """Asks one peer for one CID. Returned bytes are NOT verified: the caller holds them against the CID."""

    async def fetch(self, peer: PeerId, cid: CID, *, limit_bytes: int) -> memoryview | None:
        """What `peer` answers for `cid`, or None if it says it does not have it.

        Raises a `RemoteError` (timeout, reset, protocol, limit, unreachable) within the request time-out.
        """
        ...
