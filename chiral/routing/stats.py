"""What the DHT says of itself: counters kept while it works, and the snapshot shown to people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OverlayStats:
    """Of one protocol: the peers in its table, and how many in each of its 256 buckets, the farthest first."""

    protocol: str
    table_size: int
    bucket_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KadStats:
    """A snapshot. `last_refresh` is in Unix seconds, None before the first; the counts of queries are of lookups."""

    overlays: tuple[OverlayStats, ...]
    provider_records: int
    value_records: int
    own_announced: int
    own_pending: int
    queries_active: int
    queries_done: int
    queries_failed: int
    last_refresh: float | None

    @property
    def table_size(self) -> int:
        """The peers in all tables."""
        return sum(overlay.table_size for overlay in self.overlays)

    @property
    def bucket_counts(self) -> tuple[int, ...]:
        """The peers in each of the 256 buckets, all tables together, the farthest bucket first."""
        return tuple(sum(counts) for counts in zip(*(o.bucket_counts for o in self.overlays), strict=True))


@dataclass(slots=True)
class QueryOutcome:
    """What became of one lookup: whether anybody answered."""

    succeeded: bool = False


@dataclass(slots=True)
class QueryCounter:
    """Lookups under way and behind; one that nobody answered has failed, one that was cancelled counts as done."""

    active: int = 0
    done: int = 0
    failed: int = 0

    @contextmanager
    def counting(self) -> Iterator[QueryOutcome]:
        """Count a lookup that runs within the block."""
        outcome = QueryOutcome()
        self.active += 1
        finished = False
        try:
            yield outcome
            finished = True
        finally:
            self.active -= 1
            if finished and not outcome.succeeded:
                self.failed += 1
            else:
                self.done += 1
