"""The port to stored value records of the DHT (PUT_VALUE and GET_VALUE)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ValueRecord:
    """A value under its key; `received_at` and `expires_at` are Unix seconds."""

    key: bytes
    value: bytes
    received_at: float
    expires_at: float


class ValueStore(Protocol):
    """Value records that this node keeps for the swarm. Validation is the caller's."""

    async def put(self, record: ValueRecord) -> None: ...

    async def get(self, key: bytes, now: float) -> ValueRecord | None:
        """The live record of `key`, or None."""
        ...

    async def sweep(self, now: float, limit: int = 10_000) -> int:
        """Delete up to `limit` records that expired by `now`; returns how many."""
        ...

    async def count(self) -> int: ...
