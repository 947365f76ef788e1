"""The port to stored provider records: who said they hold what, until when it is believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chiral.interface.peer import PeerId


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """`peer` said it provides `key`. `received_at` and `expires_at` are Unix seconds; `addrs` binary multiaddrs."""

    key: bytes
    peer: PeerId
    addrs: tuple[bytes, ...]
    received_at: float
    expires_at: float


class ProviderStore(Protocol):
    """Provider records of others that this node keeps for the swarm. At most a bounded number per key and in all."""

    async def add_many(self, records: Sequence[ProviderRecord]) -> int:
        """Store or renew the records; returns how many were kept (some may be over the limits)."""
        ...

    async def get(self, key: bytes, now: float) -> list[ProviderRecord]:
        """The live records of `key`, newest first."""
        ...

    async def remove(self, key: bytes, peer: PeerId) -> bool: ...

    async def sweep(self, now: float, limit: int = 10_000) -> int:
        """Delete up to `limit` records that expired by `now`, found by an index; returns how many."""
        ...

    async def count(self) -> int: ...
