"""Provider records: who said they hold what, until when it is believed, and the port to those that are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chiral.interface.peer import PeerId, PeerInfo


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """`peer` said it provides `key`. `received_at` and `expires_at` are Unix seconds; `addrs` binary multiaddrs."""

    key: bytes
    peer: PeerId
    addrs: tuple[bytes, ...]
    received_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class FoundProvider:
    """A provider that a search found under `key`.

    `distance` is the XOR distance, 0 to 2^256-1, of SHA-256 of the key and of the provider's id. `received_at`, in Unix
    seconds, is when this node took the record in, and None where the record is held by another: `told_by` names it.
    Source: seed 002, `ProviderRecord`.
    """

    info: PeerInfo
    key: bytes
    distance: int
    received_at: float | None = None
    told_by: PeerId | None = None


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """How many provider records a store keeps: of one key, of one peer, and in all."""

    per_key: int
    per_peer: int
    total: int

    def __str__(self) -> str:
        return f"{self.per_key} of a key, {self.per_peer} of a peer, {self.total} in all"


class ProviderStore(Protocol):
    """Provider records of others that this node keeps for the swarm. At most a bounded number per key and in all."""

    @property
    def limits(self) -> ProviderLimits: ...

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
