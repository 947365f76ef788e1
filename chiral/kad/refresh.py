"""Which buckets are due for a refresh lookup. Decides; the lookups are the caller's.

Source: Maymounkov and Mazières, "Kademlia" (2002), section 2.3.
"""

from __future__ import annotations

from chiral.interface.peer import PeerId
from chiral.kad.table import RoutingTable

MAX_REFRESH_BITS = 15
"""Deeper buckets are covered by the lookup of the local peer itself; a key for them would cost over 2^16 hashes."""


def due_buckets(table: RoutingTable, now: float, interval_s: float) -> list[int]:
    """The buckets, farthest first, that no lookup has touched for `interval_s` seconds.

    Goes one beyond the deepest bucket in use: below that, nobody is to be expected in a network of this size.
    """
    last = min(table.deepest + 1, MAX_REFRESH_BITS)
    if table.deepest < 0:
        return []
    return [index for index in range(last + 1) if is_due(table.touched_at(index), now, interval_s)]


def is_due(touched_at: float | None, now: float, interval_s: float) -> bool:
    """Whether something last touched at `touched_at` (None: never) is due at `now`."""
    return touched_at is None or now - touched_at >= interval_s


def silent_peers(table: RoutingTable, now: float, interval_s: float, limit: int) -> list[PeerId]:
    """Up to `limit` peers without a sign of life for `interval_s` seconds, the longest silent first."""
    silent = sorted((entry for entry in table if now - entry.seen_at >= interval_s), key=lambda entry: entry.seen_at)
    return [entry.peer for entry in silent[:limit]]
