"""The keys this node provides itself, and when each is to be announced next. Sends nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush


@dataclass(frozen=True, slots=True)
class _OwnKey:
    """State of one key: due in Unix seconds (infinite while it is being announced), and how many peers took it last."""

    due_at: float
    stored: int = 0


class OwnKeys:
    """Keys to keep announced: again after `republish_s`, or after `retry_s` where no peer took the last one."""

    def __init__(self, *, republish_s: float, retry_s: float) -> None:
        self._republish_s = republish_s
        self._retry_s = retry_s
        self._keys: dict[bytes, _OwnKey] = {}
        # Entries that are no longer a key's own `due_at` are passed over when they come up.
        self._queue: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    @property
    def pending(self) -> int:
        """How many keys no peer has taken yet."""
        return sum(not own.stored for own in self._keys.values())

    def begin(self, keys: Iterable[bytes]) -> None:
        """`keys` are provided from now on and being announced: not due before `announced` says how that went."""
        for key in keys:
            known = self._keys.get(key)
            self._keys[key] = _OwnKey(math.inf, known.stored if known is not None else 0)

    def remove(self, keys: Iterable[bytes]) -> None:
        """Provide `keys` no longer."""
        for key in keys:
            self._keys.pop(key, None)

    def announced(self, key: bytes, stored: int, now: float) -> None:
        """`stored` peers took an announcement of `key`, which may have been removed meanwhile."""
        if key in self._keys:
            self._schedule(key, now + (self._republish_s if stored else self._retry_s), stored)

    def due(self, now: float, limit: int) -> list[bytes]:
        """Up to `limit` keys to announce by `now`, the longest due first."""
        found: dict[bytes, None] = {}
        while len(found) < limit and (first := self._first()) is not None and first[0] <= now:
            heappop(self._queue)
            found[first[1]] = None
        return list(found)

    def hasten(self, now: float, below: int) -> None:
        """Make due at once the keys that fewer than `below` peers have taken."""
        for key, own in list(self._keys.items()):
            if own.stored < below and now < own.due_at < math.inf:
                self._schedule(key, now, own.stored)

    def next_due(self) -> float | None:
        """When the next key is due; None if there is none."""
        first = self._first()
        return None if first is None else first[0]

    def _schedule(self, key: bytes, due_at: float, stored: int) -> None:
        self._keys[key] = _OwnKey(due_at, stored)
        heappush(self._queue, (due_at, key))
        if len(self._queue) > 64 + 4 * len(self._keys):
            self._queue = [(own.due_at, key) for key, own in self._keys.items() if own.due_at < math.inf]
            heapify(self._queue)

    def _first(self) -> tuple[float, bytes] | None:
        """The earliest entry of the queue that still holds."""
        while self._queue:
            due_at, key = self._queue[0]
            own = self._keys.get(key)
            if own is not None and own.due_at == due_at:
                return self._queue[0]
            heappop(self._queue)
        return None
