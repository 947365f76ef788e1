"""In-memory fakes of the `ProviderStore` and `ValueStore` ports."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chiral.interface.peer import PeerId
from chiral.interface.providers import ProviderLimits, ProviderRecord
from chiral.interface.values import ValueRecord


class MemoryProviderStore:
    """Provider records, at most `per_key` of a key and `total` in all; those over the limits are not kept."""

    def __init__(self, per_key: int = 20, total: int = 100_000) -> None:
        self._per_key = per_key
        self._total = total
        self._records: dict[bytes, dict[PeerId, ProviderRecord]] = {}
        self._size = 0
        self.writes = 0
        """How many times `add_many` was called: each is a durable transaction in the real store."""

    @property
    def limits(self) -> ProviderLimits:
        return ProviderLimits(self._per_key, self._total, self._total)

    async def add_many(self, records: Sequence[ProviderRecord]) -> int:
        await trio.lowlevel.checkpoint()
        self.writes += 1
        kept = 0
        for record in records:
            held = self._records.setdefault(record.key, {})
            if record.peer not in held and (len(held) >= self._per_key or self._size >= self._total):
                continue
            self._size += record.peer not in held
            held[record.peer] = record
            kept += 1
        return kept

    async def get(self, key: bytes, now: float) -> list[ProviderRecord]:
        await trio.lowlevel.checkpoint()
        live = [record for record in self._records.get(key, {}).values() if record.expires_at > now]
        return sorted(live, key=lambda record: -record.received_at)

    async def remove(self, key: bytes, peer: PeerId) -> bool:
        await trio.lowlevel.checkpoint()
        gone = self._records.get(key, {}).pop(peer, None) is not None
        self._size -= gone
        return gone

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
        self._size -= len(expired)
        return len(expired)

    async def count(self) -> int:
        await trio.lowlevel.checkpoint()
        return self._size


class MemoryValueStore:
    """Value records by key and author, at most `per_key` of a key; those over the limit are not kept."""

    def __init__(self, per_key: int = 16) -> None:
        self._per_key = per_key
        self._records: dict[bytes, dict[bytes, ValueRecord]] = {}

    async def put(self, record: ValueRecord) -> bool:
        await trio.lowlevel.checkpoint()
        held = self._records.setdefault(record.key, {})
        if record.author not in held and len(held) >= self._per_key:
            return False
        held[record.author] = record
        return True

    async def get(self, key: bytes, now: float) -> list[ValueRecord]:
        await trio.lowlevel.checkpoint()
        live = [record for record in self._records.get(key, {}).values() if record.expires_at > now]
        return sorted(live, key=lambda record: -record.received_at)

    async def sweep(self, now: float, limit: int = 10_000) -> int:
        await trio.lowlevel.checkpoint()
        held = [record for of_key in self._records.values() for record in of_key.values()]
        expired = [record for record in held if record.expires_at <= now][:limit]
        for record in expired:
            del self._records[record.key][record.author]
        return len(expired)

    async def count(self) -> int:
        await trio.lowlevel.checkpoint()
        return sum(len(held) for held in self._records.values())
