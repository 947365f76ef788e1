"""In-memory fakes of the `ProviderStore` and `ValueStore` ports."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chiral.interface.peer import PeerId
from chiral.interface.providers import ProviderRecord
from chiral.interface.values import ValueRecord


class MemoryProviderStore:
    """Provider records, at most `per_key` of a key and `total` in all; those over the limits are not kept."""

    def __init__(self, per_key: int = 20, total: int = 100_000) -> None:
        self._per_key = per_key
        self._total = total
        self._records: dict[bytes, dict[PeerId, ProviderRecord]] = {}
        self.writes = 0
        """How many times `add_many` was called: each is a durable transaction in the real store."""

    async def add_many(self, records: Sequence[ProviderRecord]) -> int:
        await trio.lowlevel.checkpoint()
        self.writes += 1
        kept = 0
        for record in records:
            held = self._records.setdefault(record.key, {})
            if record.peer not in held and (len(held) >= self._per_key or self._count() >= self._total):
                continue
            held[record.peer] = record
            kept += 1
        return kept

    async def get(self, key: bytes, now: float) -> list[ProviderRecord]:
        await trio.lowlevel.checkpoint()
        live = [record for record in self._records.get(key, {}).values() if record.expires_at > now]
        return sorted(live, key=lambda record: -record.received_at)

    async def remove(self, key: bytes, peer: PeerId) -> bool:
        await trio.lowlevel.checkpoint()
        return self._records.get(key, {}).pop(peer, None) is not None

    async def sweep(self, now: float, limit: int = 10_000) -> int:
        await trio.lowlevel.checkpoint()
        expired = [
            (key, record.peer)
            for key, held in self._records.items()
            for record in held.values()
            if record.expires_at <= now
        ][:limit]
        for key, peer in expired:
            del self._records[key][peer]
        return len(expired)

    async def count(self) -> int:
        await trio.lowlevel.checkpoint()
        return self._count()

    def _count(self) -> int:
        return sum(len(held) for held in self._records.values())


class MemoryValueStore:
    """Value records by key."""

    def __init__(self) -> None:
        self._records: dict[bytes, ValueRecord] = {}

    async def put(self, record: ValueRecord) -> None:
        await trio.lowlevel.checkpoint()
        self._records[record.key] = record

    async def get(self, key: bytes, now: float) -> ValueRecord | None:
        await trio.lowlevel.checkpoint()
        record = self._records.get(key)
        return record if record is not None and record.expires_at > now else None

    async def sweep(self, now: float, limit: int = 10_000) -> int:
        await trio.lowlevel.checkpoint()
        expired = [key for key, record in self._records.items() if record.expires_at <= now][:limit]
        for key in expired:
            del self._records[key]
        return len(expired)

    async def count(self) -> int:
        await trio.lowlevel.checkpoint()
        return len(self._records)
