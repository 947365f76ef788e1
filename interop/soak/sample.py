"""What a node takes of the machine at one moment, as the kernel tells it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from interop.bench.usage import parse_status
from interop.bench.work import MIB_BYTES

_SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class Usage:
    """`rss` is all that is resident and `own` the anonymous part of it; `store` what its directory fills. In MiB."""

    rss: float
    own: float
    threads: int
    descriptors: int
    store: float


def usage_of(pid: int, data: Path) -> Usage:
    """The figures of a node with its data in `data`; raises `OSError` if it is gone."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    memory = parse_status(status)
    descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return Usage(memory.rss, memory.own, threads_in(status), descriptors, stored_mib(data))


def threads_in(status: str) -> int:
    """The number of threads in the text of /proc/PID/status."""
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))


def stored_mib(data: Path) -> float:
    """What the files below `data` fill; the holes of a sparse one do not count."""
    files = (path.stat() for path in data.rglob("*") if path.is_file())
    return sum(found.st_blocks for found in files) * _SECTOR_BYTES / MIB_BYTES
