"""One write at a time under each key: locks that are there only while somebody holds or wants them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio


@dataclass(slots=True)
class _Entry:
    lock: trio.Lock = field(default_factory=trio.Lock)
    users: int = 0


class KeyLocks:
    """Locks by key. Several are taken in the order of keys, so that two who want the same ones never wait in a ring."""

    def __init__(self) -> None:
        self._entries: dict[bytes, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @asynccontextmanager
    async def held(self, keys: Iterable[bytes]) -> AsyncIterator[None]:
        """Within the block nobody else is in one with a key of `keys`, which are different ones."""
        wanted = sorted(keys)
        entries = [self._entries.setdefault(key, _Entry()) for key in wanted]
        for entry in entries:
            entry.users += 1
        taken = 0
        try:
            for entry in entries:
                await entry.lock.acquire()
                taken += 1
            yield
        finally:
            for entry in entries[:taken]:
                entry.lock.release()
            for key, entry in zip(wanted, entries, strict=True):
                entry.users -= 1
                if not entry.users:
                    del self._entries[key]
