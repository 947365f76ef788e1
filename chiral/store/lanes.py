"""Which of the jobs that wait go into the writer's next transaction: small ones do not stand in line behind bulk.

Somebody who puts one block waits for the transaction under way and for their own, not for megabytes queued before; and
while small jobs keep coming, transactions of bulk are kept short for them. Bulk is not starved: small jobs go alone at
most every second time, in between everything goes together.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

QUICK_BYTES = 512 << 10
"""The largest job that counts as small: two blocks of the usual size."""
SHORT_BATCH_BYTES = 2 << 20
"""Of bulk in one transaction while small jobs keep coming: a few milliseconds on a good disk."""
SHORT_FOR = 8
"""How many transactions without a small job it takes until bulk goes by the full measure again."""


class Sized(Protocol):
    """A job that writes about `size_bytes`."""

    @property
    def size_bytes(self) -> int: ...


J = TypeVar("J", bound=Sized)


class Lanes(Generic[J]):
    """Jobs in two lanes, each in the order they came; `batch_bytes` is where a transaction takes no further one."""

    def __init__(self, batch_bytes: int) -> None:
        self._batch_bytes = batch_bytes
        self._quick: deque[J] = deque()
        self._bulk: deque[J] = deque()
        self._quick_went_alone = False
        self._since_quick = SHORT_FOR

    def __bool__(self) -> bool:
        return bool(self._quick or self._bulk)

    def add(self, job: J) -> None:
        """`job` waits from now on."""
        (self._quick if job.size_bytes <= QUICK_BYTES else self._bulk).append(job)

    def take(self) -> list[J]:
        """The jobs of the next transaction, at least one if any wait."""
        alone = bool(self._quick and self._bulk) and not self._quick_went_alone
        self._quick_went_alone = alone
        self._since_quick = 0 if self._quick else self._since_quick + 1
        short = self._since_quick < SHORT_FOR
        batch: list[J] = []
        size = self._move(self._quick, batch, 0, self._batch_bytes)
        if not alone:
            self._move(
                self._bulk, batch, size, min(SHORT_BATCH_BYTES, self._batch_bytes) if short else self._batch_bytes
            )
        return batch

    def _move(self, lane: deque[J], batch: list[J], size: int, limit_bytes: int) -> int:
        while lane and (size < limit_bytes or not batch):
            job = lane.popleft()
            batch.append(job)
            size += job.size_bytes
        return size
