"""What the DHT says of itself: counters kept while it works, and the snapshot shown to people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from chiral.kad.mode import Reachability
from chiral.routing.announce_stats import AnnounceStats
from chiral.routing.latencies import LatencyQuantiles
from chiral.routing.refusals import Refusals


@dataclass(frozen=True, slots=True)
class OverlayStats:
    """Of one protocol: the peers in its table, and how many in each of its 256 buckets, the farthest first."""

    protocol: str
    table_size: int
    bucket_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KadStats:
    """A snapshot (seeds 000 and 002: peers, providers, buckets, queries). Counts, where nothing else is said."""

    mode: Literal["server", "client"]
    """What this node is now, whatever it is set to."""
    reachability: Reachability
    overlays: tuple[OverlayStats, ...]
    peers: int
    """Different peers in all tables: one that speaks two protocols stands in two and counts once."""
    provider_records: int
    """Of others, held for the swarm."""
    providers_known: int
    """Providers that this node's own searches found lately."""
    value_records: int
    """Of others and of this node, held here."""
    own_values: int
    """Records that this node publishes and repeats."""
    own_announced: int
    """Keys that this node provides itself."""
    own_pending: int
    """Those of them that no peer has taken yet."""
    announcing: AnnounceStats
    """How the announcing of them goes."""
    queries_active: int
    """Lookups under way; the next two are of those that ended since the start."""
    queries_done: int
    queries_failed: int
    """Those that nobody answered."""
    query_latency: LatencyQuantiles
    last_refresh: float | None
    """Unix seconds, None before the first."""
    refusals: Refusals
    """What others asked for and did not get, by limit."""

    @property
    def table_size(self) -> int:
        """The peers in all tables, one in two tables counted twice."""
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
