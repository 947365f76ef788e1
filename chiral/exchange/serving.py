"""What is being answered at the moment: how many requests, how many bytes held for them, of each peer and of all.

A peer that asks for much and takes nothing finds its own limits before it is in anybody else's way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from chiral.errors import LimitExceededError
from chiral.exchange.settings import ExchangeSettings
from chiral.interface.peer import PeerId


class Serving:
    """Counts, and refuses what is over the limits."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self._settings = settings
        self._requests: Counter[PeerId] = Counter()
        self._all_requests = 0
        self._bytes: Counter[PeerId] = Counter()
        self._all_bytes = 0

    @contextmanager
    def request(self, peer: PeerId) -> Iterator[None]:
        """One request of `peer` within the block; raises `LimitExceededError` if there are too many."""
        count = self._requests[peer]
        if count >= self._settings.max_serving_per_peer:
            raise LimitExceededError(f"{peer.short} has {count} requests open (exchange.max_serving_per_peer)")
        if self._all_requests >= self._settings.max_serving:
            raise LimitExceededError(f"{self._all_requests} requests are open (exchange.max_serving)")
        self._requests[peer] = count + 1
        self._all_requests += 1
        try:
            yield
        finally:
            self._all_requests -= 1
            self._requests[peer] -= 1
            if not self._requests[peer]:
                del self._requests[peer]

    @contextmanager
    def answer(self, peer: PeerId, size_bytes: int) -> Iterator[None]:
        """An answer held in memory for `peer` within the block.

        Raises `LimitExceededError` if too much is held already; a single answer is let pass whatever its size.
        """
        held = self._bytes[peer]
        if held and held + size_bytes > self._settings.max_serving_bytes_per_peer:
            raise LimitExceededError(
                f"{peer.short} leaves {held} bytes of answers waiting (exchange.max_serving_bytes_per_peer)"
            )
        if self._all_bytes and self._all_bytes + size_bytes > self._settings.max_serving_bytes:
            raise LimitExceededError(f"{self._all_bytes} bytes of answers wait (exchange.max_serving_bytes)")
        self._bytes[peer] = held + size_bytes
        self._all_bytes += size_bytes
        try:
            yield
        finally:
            self._all_bytes -= size_bytes
            self._bytes[peer] -= size_bytes
            if not self._bytes[peer]:
                del self._bytes[peer]
