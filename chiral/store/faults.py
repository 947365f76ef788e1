"""What LMDB's errors mean to whoever uses the store."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import lmdb

from chiral.errors import StoreError
from chiral.store.room import DATA_FILE, disk_full, map_full

_NO_SPACE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_BELOW_BYTES = 1 << 20


def store_fault(error: lmdb.Error, directory: Path) -> StoreError:
    """The `StoreError` that says what LMDB's `error` on the environment in `directory` means."""
    if isinstance(error, lmdb.MapFullError):
        return map_full(directory)
    code = int(getattr(error, "code", 0))
    if code in _NO_SPACE_ERRNOS or (code == errno.EIO and _no_room(directory)):
        return disk_full(directory)
    if isinstance(error, lmdb.PanicError):
        return StoreError(
            f"the store in {directory} failed while it wrote and takes no more until a restart",
            hint="look into the system's log for disk errors, then restart the node",
        )
    if isinstance(error, lmdb.MemoryError):
        return StoreError(
            f"the store in {directory} does not fit this machine's address space", hint="lower store.map_size_bytes"
        )
    if isinstance(error, (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError, lmdb.PageNotFoundError)):
        return StoreError(f"{directory} does not hold a readable store: {error}", hint="restore it from a backup")
    return StoreError(f"the store in {directory} failed: {error}")


def _no_room(directory: Path) -> bool:
    """Whether an EIO is a full disk: that shows first as a write cut short, which LMDB calls an I/O error."""
    try:
        disk = os.statvfs(directory)
        size = (directory / DATA_FILE).stat().st_size
    except OSError:
        return False
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    over_limit = limit != resource.RLIM_INFINITY and size + _FULL_BELOW_BYTES > limit
    return over_limit or disk.f_bavail * disk.f_frsize < _FULL_BELOW_BYTES
