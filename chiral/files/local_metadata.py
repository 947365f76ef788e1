"""Mode and time of local files as UnixFS tells them, and how they are given to files that are written."""

from __future__ import annotations

import os
import stat

from chiral.dag.directory import Metadata
from chiral.dag.unixfs import ModifiedTime

_PERMISSIONS = 0o777
"""No set-user-ID and the like: who fetches a file does not hand out rights that somebody else chose."""
_SECOND_NS = 1_000_000_000


def metadata_of(status: os.stat_result, *, mode: bool, mtime: bool) -> Metadata:
    """Permissions and modification time from `status`, as far as wanted."""
    seconds, nanoseconds = divmod(status.st_mtime_ns, _SECOND_NS)
    return Metadata(
        stat.S_IMODE(status.st_mode) if mode else None,
        ModifiedTime(seconds, nanoseconds or None) if mtime else None,
    )


def apply_metadata(target: int | str, metadata: Metadata) -> None:
    """Give `target`, a descriptor or a path that is no link, what `metadata` tells. Blocks; raises `OSError`."""
    if metadata.mtime is not None:
        at = metadata.mtime.seconds * _SECOND_NS + (metadata.mtime.nanoseconds or 0)
        try:
            os.utime(target, ns=(at, at))
        except OverflowError as error:
            raise OSError(f"no file can have the time {metadata.mtime.seconds}") from error
    if metadata.mode is not None:
        os.chmod(target, metadata.mode & _PERMISSIONS)
