"""What processes use, as the kernel tells it: CPU seconds, memory now and its peak while something goes on."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trio

_KIB_A_MIB = 1024
_SAMPLE_S = 0.02
_QUIET_S = 0.1
_QUIET_TICKS = 2
_SETTLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Memory:
    """In MiB: `rss` is all that is resident; of that `own` is anonymous, `mapped` pages of files and shared memory."""

    rss: float
    own: float
    mapped: float


def parse_status(text: str) -> Memory:
    """The memory in the text of /proc/PID/status."""
    kib = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            kib[name] = int(rest.split()[0])
    mapped = kib.get("RssFile", 0) + kib.get("RssShmem", 0)
    return Memory(kib["VmRSS"] / _KIB_A_MIB, kib["RssAnon"] / _KIB_A_MIB, mapped / _KIB_A_MIB)


def parse_ticks(stat: str) -> int:
    """User and system time in the text of /proc/PID/stat, in clock ticks: the 14th and 15th field."""
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    return int(fields[11]) + int(fields[12])


def memory_of(pid: int) -> Memory:
    """The memory of a process now; raises `OSError` if it is gone."""
    return parse_status(Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))


def cpu_seconds_of(pids: Iterable[int]) -> float:
    """User and system seconds that these processes have used so far; raises `OSError` if one is gone."""
    return sum(_ticks_of(pid) for pid in pids) / os.sysconf("SC_CLK_TCK")


class Peak:
    """The most memory a process had while it was watched, over what it had when that began; MiB."""

    def __init__(self, idle: Memory) -> None:
        self._idle = idle
        self._own = idle.own
        self._mapped = idle.mapped

    def take(self, now: Memory) -> None:
        """Look at one more reading."""
        self._own = max(self._own, now.own)
        self._mapped = max(self._mapped, now.mapped)

    @property
    def own(self) -> float:
        """Of the process's own, over idle."""
        return self._own - self._idle.own

    @property
    def mapped(self) -> float:
        """Of mapped pages, over idle."""
        return self._mapped - self._idle.mapped


@asynccontextmanager
async def watched(pid: int, idle: Memory) -> AsyncIterator[Peak]:
    """Read the memory of `pid` fifty times a second within the block."""
    peak = Peak(idle)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, pid, peak)
        yield peak
        nursery.cancel_scope.cancel()
    with suppress(OSError):
        peak.take(memory_of(pid))


async def settled(pids: Iterable[int]) -> None:
    """Wait until the processes have next to nothing to do, five seconds at most: announcing goes on after an add."""
    watched_pids = list(pids)
    with trio.move_on_after(_SETTLE_S):
        while True:
            before = sum(map(_ticks_of, watched_pids))
            await trio.sleep(_QUIET_S)
            if sum(map(_ticks_of, watched_pids)) - before < _QUIET_TICKS:
                return


async def _watch(pid: int, peak: Peak) -> None:
    with suppress(OSError):
        while True:
            peak.take(memory_of(pid))
            await trio.sleep(_SAMPLE_S)


def _ticks_of(pid: int) -> int:
    return parse_ticks(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))
