"""What a blockstore asks of a bucket: objects under keys, kept in the order of keys. No client of S3 is loaded here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_KEYS = 1000
"""Most keys that one listing answers with or one deletion takes (S3's own limit)."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an object's head says: its size in bytes, and its codec where it is not raw."""

    size_bytes: int
    codec: int | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A listed object as what it stands for: a block under its multihash, or with `codec` the mark of one."""

    key: bytes
    codec: int | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Listing:
    """`(key, size in bytes)` in the order of keys, and whether there are more after them."""

    entries: list[tuple[str, int]]
    more: bool


class Bucket(Protocol):
    """Objects by key. Every call blocks and raises `StoreError`, `StoreFullError` where there is no room."""

    def get(self, key: str) -> bytes | None:
        """An object's bytes, or None if there is no such object."""
        ...

    def head(self, key: str) -> Found | None:
        """What an object is like, or None if there is no such object."""
        ...

    def put(self, key: str, data: bytes, codec: int | None = None) -> None:
        """Store an object whole, over whatever is there; durable once it returns."""
        ...

    def put_new(self, key: str, data: bytes) -> bool:
        """The same unless there is such an object, on stores that know of conditions; whether it was put."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Delete up to `MAX_KEYS` objects; those that are not there count as deleted."""
        ...

    def list(self, prefix: str, after: str, limit: int) -> Listing:
        """Up to `limit` objects whose keys begin with `prefix`, after key `after`; never more than `MAX_KEYS`."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
