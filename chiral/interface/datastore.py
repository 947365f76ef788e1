"""The port to small state that survives a restart: named tables of keys and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Datastore(Protocol):
    """Keys and values, in tables of their own."""

    async def get(self, table: str, key: bytes) -> bytes | None: ...

    async def put_many(self, table: str, items: Mapping[bytes, bytes | None]) -> None:
        """Write the items durably in one transaction; None deletes the key."""
        ...

    async def page(
        self, table: str, prefix: bytes = b"", after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        """Up to `limit` items whose key starts with `prefix` and is greater than `after`, in key order."""
        ...
