"""Where a run's data lies: one directory in memory, one on a disk, and what file systems those really are."""

from __future__ import annotations

import os
from pathlib import Path

_MOUNTS = Path("/proc/mounts")
_SHARED_MEMORY = Path("/dev/shm")


def file_system_of(path: Path, mounts: str) -> str:
    """The type of the file system that `path` (absolute) lies on. `mounts` is the text of /proc/mounts."""
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = point == "/" or path == Path(point) or Path(point) in path.parents
        if inside and len(point) >= len(best):  # of two at one place the later hides the earlier
            best, kind = point, fields[2]
    return kind


def file_system(path: Path) -> str:
    """The type of the file system that `path` lies on now."""
    return file_system_of(path.resolve(), _MOUNTS.read_text(encoding="utf-8", errors="replace"))


def memory_directory() -> Path | None:
    """A directory on tmpfs that may be written to, or None."""
    usable = os.access(_SHARED_MEMORY, os.W_OK) and file_system(_SHARED_MEMORY) == "tmpfs"
    return _SHARED_MEMORY if usable else None


def free_bytes(path: Path) -> int:
    """What may still be written to the file system of `path`."""
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize


def available_memory_bytes(meminfo: str | None = None) -> int:
    """What the kernel says can be had without swapping (MemAvailable)."""
    text = Path("/proc/meminfo").read_text(encoding="ascii") if meminfo is None else meminfo
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
