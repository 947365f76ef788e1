"""Who ought to hold what, computed from peer ids alone; shares no code with the DHT that is tested."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

import base58

REPLICATION = 20


def point(raw: bytes) -> int:
    """Where a key or a peer id lies: its SHA-256 as a number."""
    return int.from_bytes(hashlib.sha256(raw).digest(), "big")


def closest(key: bytes, peer_ids: Iterable[str], count: int = REPLICATION) -> list[str]:
    """The `count` peers closest to `key` by XOR, nearest first; peer ids in base58."""
    target = point(key)
    return sorted(peer_ids, key=lambda peer: point(base58.b58decode(peer)) ^ target)[:count]


def neighbours(peer: str, others: Iterable[str], count: int = REPLICATION) -> list[str]:
    """Of the `count` peers closest to `peer` those that its routing table has room for, nearest first.

    A bucket is for the peers that share so many leading bits with it, and has room for 20 of them: of more nobody can
    say which it keeps.
    """
    own = point(base58.b58decode(peer))
    others = list(others)
    bucket = {other: (point(base58.b58decode(other)) ^ own).bit_length() for other in others}
    held = Counter(bucket.values())
    return [near for near in closest(base58.b58decode(peer), others, count) if held[bucket[near]] <= REPLICATION]


def quantile(values: Sequence[float], share: float) -> float:
    """The least of `values` that at least `share` of them do not exceed; raises `ValueError` if there are none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
