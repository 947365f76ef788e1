"""The lock on a data directory: one node at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from chiral.errors import FileAccessError, StoreLockedError

LOCK_FILE = "node.lock"
_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600


class DirectoryLock:
    """Held from `acquire` to `release`, or to the end of the process however it ends: the kernel keeps it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, directory: Path) -> DirectoryLock:
        """Make `directory` (mode 0700) if need be and lock it.

        Raises `StoreLockedError` while another node holds it, `FileAccessError` if it cannot be made or written.
        """
        try:
            if not directory.is_dir():
                directory.mkdir(_DIRECTORY_MODE, parents=True)
            descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        except OSError as error:
            raise _inaccessible(directory, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
        except BlockingIOError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise StoreLockedError(
                f"data directory {directory} is in use by another node{holder}",
                hint="stop that node, or give this one a directory of its own with --data",
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise _inaccessible(directory, error) from error
        # Only for the message above: without it (a full disk) the lock holds all the same.
        with contextlib.suppress(OSError):
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let go; a second call does nothing. The file stays: removing it would let two nodes hold two locks."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return f" (process {text})" if text.isdigit() else ""


def _inaccessible(directory: Path, error: OSError) -> FileAccessError:
    return FileAccessError(
        f"data directory {directory} cannot be used: {error.strerror}",
        hint="it must be a directory this user may write to; --data names another",
    )
