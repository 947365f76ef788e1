"""Whether there is room to grow: keeps back what deleting needs, so that a full store can always be emptied.

LMDB copies each page it changes, so even a deletion needs pages; with none left nothing could be removed any more.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from chiral.errors import StoreError, StoreFullError

if TYPE_CHECKING:
    from chiral.store.schema import AnyTransaction, Tables

DATA_FILE = "data.mdb"
MAP_RESERVE_BYTES = 64 << 20
"""Address space over the limit, which only transactions that delete may run into. It costs nothing until used."""


class Room:
    """The limits of one store: `limit_bytes` of pages in use, and `disk_reserve_bytes` left free under `directory`."""

    def __init__(self, directory: Path, limit_bytes: int, disk_reserve_bytes: int) -> None:
        self._directory = directory
        self._limit = limit_bytes
        self._disk_reserve = disk_reserve_bytes

    def require(self, txn: AnyTransaction, tables: Tables, incoming_bytes: int) -> None:
        """Raise `StoreFullError` unless `incoming_bytes` more fit both, `StoreError` if the disk cannot be asked."""
        used = pages_size(txn, tables)
        if used + incoming_bytes > self._limit:
            raise map_full(self._directory)
        # The file never shrinks: what it has over the pages in use are pages freed earlier, which are filled first.
        try:
            free_inside = max(0, (self._directory / DATA_FILE).stat().st_size - used)
            disk = os.statvfs(self._directory)
        except OSError as error:
            raise StoreError(f"the store's directory {self._directory} is out of reach: {error.strerror}") from error
        if free_inside + disk.f_bavail * disk.f_frsize < self._disk_reserve + incoming_bytes:
            raise disk_full(self._directory)


def pages_size(txn: AnyTransaction, tables: Tables) -> int:
    """The size in bytes of all pages in use; LMDB keeps the counts, so this takes microseconds."""
    total = 0
    for table in tables.all():
        stat = txn.stat(table)
        total += stat["psize"] * (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"])
    return total


def map_full(directory: Path) -> StoreFullError:
    """The store has all that the configuration gives it."""
    return StoreFullError(
        f"the store in {directory} has reached the size it was given",
        hint="raise store.map_size_bytes and restart, or remove files",
    )


def over_quota(held_bytes: int, new_bytes: int, quota_bytes: int) -> StoreFullError:
    """Blocks would take more than the configuration allows them."""
    return StoreFullError(
        f"{new_bytes} bytes of new blocks do not fit the quota: {held_bytes} of {quota_bytes} bytes are taken",
        hint="raise store.quota_bytes, or remove files and run 'chiral gc'",
    )


def disk_full(directory: Path) -> StoreFullError:
    """The disk has no room for more."""
    return StoreFullError(f"no space left on the disk under {directory}", hint="free some space, or remove files")
