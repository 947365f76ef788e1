"""What a soak's samples say: the limits, the findings, and the tables. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from interop.bench.table import markdown, number
from interop.bench.work import GIB_BYTES, MIB_BYTES
from interop.soak.growth import Line, fit
from interop.soak.sample import Usage

MEMORY_MIB_PER_GIB = 1.0
"""What a node's own memory may grow by for each GiB moved: a leak of 256 bytes a block is not more."""
STORE_MIB_PER_GIB = 8.0
"""What a store may grow by for each GiB that came and went: records of what was provided stay for a day."""
SWING_MIB = 16.0
"""Growth of less than this over a whole soak is none: allocator and store keep free room of that order, in steps."""


@dataclass(frozen=True, slots=True)
class Round:
    """A file added, fetched, held against its source and removed at both ends; `moved` counts all bytes up to here."""

    moved: int
    add_mib_s: float
    get_mib_s: float
    ends: Mapping[str, Usage]


@dataclass(slots=True)
class Soak:
    """All of a soak. `begin` and `end` are of nodes at rest: after the warm-up, and after the last round."""

    rounds: list[Round] = field(default_factory=list)
    warm_up: int = 0
    begin: Mapping[str, Usage] = field(default_factory=dict)
    end: Mapping[str, Usage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing of one node that was looked at. `holds` is whether it did not grow."""

    what: str
    told: str
    holds: bool


def findings(soak: Soak) -> list[Finding]:
    """Memory and store by their slope, threads and descriptors by what they were at rest before and after."""
    found = []
    for who in soak.begin:
        for what, limit in (("own", MEMORY_MIB_PER_GIB), ("store", STORE_MIB_PER_GIB)):
            found.append(_slope(f"{who}: {_NAMES[what]}", _line(soak, who, what), limit))
        for what in ("threads", "descriptors"):
            before, after = getattr(soak.begin[who], what), getattr(soak.end[who], what)
            found.append(Finding(f"{who}: {what}", f"{before} at rest before, {after} after", after <= before))
    return found


def report(soak: Soak) -> str:
    """A row for each round, and the findings."""
    who = list(soak.begin)
    head = ["GiB moved", "add MiB/s", "get MiB/s", *(f"{end} {_NAMES[what]}" for end in who for what in _SHOWN)]
    rows = [
        [
            f"{number(done.moved / GIB_BYTES)}{' (warm-up)' if place < soak.warm_up else ''}",
            number(done.add_mib_s),
            number(done.get_mib_s),
            *(number(getattr(done.ends[end], what)) for end in who for what in _SHOWN),
        ]
        for place, done in enumerate(soak.rounds)
    ]
    found = [[entry.what, entry.told, "holds" if entry.holds else "GROWS"] for entry in findings(soak)]
    return markdown(head, rows) + "\n\n" + markdown(["what", "found", "verdict"], found) + "\n"


def to_json(soak: Soak) -> dict[str, Any]:
    """All of it as JSON values."""
    return {**asdict(soak), "findings": [asdict(entry) for entry in findings(soak)]}


_NAMES = {
    "rss": "VmRSS MiB",
    "own": "RssAnon MiB",
    "threads": "threads",
    "descriptors": "descriptors",
    "store": "store MiB",
}
_SHOWN = ("rss", "own", "threads", "descriptors", "store")


def _line(soak: Soak, who: str, what: str) -> Line:
    counted = soak.rounds[soak.warm_up :]
    return fit([done.moved / GIB_BYTES for done in counted], [getattr(done.ends[who], what) for done in counted])


def _slope(what: str, line: Line, limit: float) -> Finding:
    told = f"{line.slope:+.2f} MiB a GiB, give or take {line.error:.2f}, {line.rise:+.1f} MiB in all; {limit:g} allowed"
    return Finding(what, told, line.beyond_doubt <= limit or line.rise <= SWING_MIB)


def rate(size: int, seconds: float) -> float:
    """MiB a second."""
    return size / MIB_BYTES / seconds
