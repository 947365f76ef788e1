"""What searches found from others lately, kept for minutes so that the next one answers at once. Asks nobody.

Not the records this node keeps for the swarm: nothing of it is told to others, and none of it outlives the process.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from chiral.interface.peer import PeerId
from chiral.interface.providers import FoundProvider

PER_KEY = 32
"""Providers remembered of one key: as many as a search usually asks for, and some."""


@dataclass(frozen=True, slots=True)
class _Kept:
    found: FoundProvider
    until: float


class ProviderCache:
    """Providers by key, each for `ttl_s` seconds, at most `limit` in all; keys unused for longest leave first."""

    def __init__(self, *, ttl_s: float, limit: int) -> None:
        self._ttl_s = ttl_s
        self._limit = limit
        self._by_key: OrderedDict[bytes, dict[PeerId, _Kept]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        """How many providers are remembered, of all keys, those past their time included."""
        return self._size

    def put(self, found: FoundProvider, now: float) -> None:
        """Remember `found` under its key, in place of what was known of that provider."""
        if self._limit < 1:
            return
        of_key = self._by_key.setdefault(found.key, {})
        self._by_key.move_to_end(found.key)
        self._size -= of_key.pop(found.info.peer, None) is not None
        if len(of_key) >= PER_KEY:
            del of_key[next(iter(of_key))]
            self._size -= 1
        of_key[found.info.peer] = _Kept(found, now + self._ttl_s)
        self._size += 1
        while self._size > self._limit:
            self._shed(found.key)

    def get(self, key: bytes, now: float) -> list[FoundProvider]:
        """The providers of `key` whose time is not up, the one put last first."""
        of_key = self._by_key.get(key)
        if of_key is None:
            return []
        live = {peer: kept for peer, kept in of_key.items() if now < kept.until}
        self._size -= len(of_key) - len(live)
        if not live:
            del self._by_key[key]
            return []
        self._by_key[key] = live
        self._by_key.move_to_end(key)
        return [kept.found for kept in reversed(live.values())]

    def _shed(self, spared: bytes) -> None:
        """Forget the key unused for longest, or one provider if only `spared` is left."""
        oldest = next(iter(self._by_key))
        if oldest != spared:
            self._size -= len(self._by_key.pop(oldest))
            return
        of_key = self._by_key[spared]
        del of_key[next(iter(of_key))]
        self._size -= 1
