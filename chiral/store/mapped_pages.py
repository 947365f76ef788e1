"""Keeps what the store's map adds to the process's resident memory within a limit.

Reading through the map counts each page read as memory of this process, and faults bring in their neighbours: serving
one gigabyte would show as a gigabyte resident. Unmapped pages stay in the system's cache, so nothing is read twice.
Only where the system tells what is mapped (Linux); elsewhere this does nothing.
"""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path

CALLS_A_LOOK = 16
_MADV_DONTNEED = 4
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MAPS = Path("/proc/self/maps")
_STATM = Path("/proc/self/statm")
_SHARED_FIELD = 2


class MappedPages:
    """The map of `data_file`, until `release`; `limit_bytes` of 0 means no limit."""

    def __init__(self, data_file: Path, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._range = _range_of(data_file) if limit_bytes else None
        self._madvise = ctypes.CDLL(None).madvise if self._range else None
        self._others = _shared_bytes() if self._range else 0
        self._calls = 0
        self._lock = threading.Lock()

    def trim_now_and_then(self) -> None:
        """`trim` at every sixteenth call: for calls that map little."""
        self._calls += 1
        if self._calls % CALLS_A_LOOK == 0:
            self.trim()

    def trim(self) -> None:
        """Unmap the pages if more than the limit has been added since it was last done. From any thread."""
        if self._range is None or self._madvise is None or _shared_bytes() - self._others < self._limit:
            return
        with self._lock:
            if self._range is None:
                return
            start, length = self._range
            # For a shared, read-only map this drops page table entries alone: a copy under way faults them in again.
            self._madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _MADV_DONTNEED)
        self._others = _shared_bytes()

    def release(self) -> None:
        """The file is about to be unmapped: from now on this does nothing, for something else may lie there then."""
        with self._lock:
            self._range = None


def _range_of(data_file: Path) -> tuple[int, int] | None:
    """`(address, length in bytes)` of the map of `data_file` in this process."""
    try:
        inode = str(data_file.stat().st_ino)
        lines = _MAPS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[4] == inode and fields[5].endswith(data_file.name):
            start, end = (int(part, 16) for part in fields[0].split("-"))
            return start, end - start
    return None


def _shared_bytes() -> int:
    """Resident memory of this process that files back; 0 if it cannot be told just now."""
    try:
        return int(_STATM.read_bytes().split()[_SHARED_FIELD]) * _PAGE_BYTES
    except OSError:  # no descriptor free: trimming can wait, storing must not fail for it
        return 0
