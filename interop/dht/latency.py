"""How long searches take: each seeker looks for each key once, so that no answer comes from what it found before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from interop.dht.member import Member
from interop.dht.truth import quantile

ALIVE_GOAL_S = 0.5
KILLED_GOAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Provided:
    """A CID and the id of the one peer that announced it."""

    cid: str
    provider: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """One search to its end: by whom, how long, and whether it found the provider."""

    kind: str
    seconds: float
    found: bool


@dataclass(frozen=True, slots=True)
class Latency:
    """Searches of one kind of seeker in one state of the swarm; seconds."""

    state: str
    who: str
    lookups: int
    found: int
    p50: float
    p95: float
    greatest: float
    goal: float

    @property
    def verdict(self) -> str:
        """Whether the 95th percentile is under the goal."""
        return "met" if self.p95 < self.goal else "not met"


async def search(seekers: Sequence[Member], provided: Sequence[Provided], count: int) -> list[Lookup]:
    """`count` searches one after another, by seekers in turn; nobody looks for what it announced itself."""
    done: list[Lookup] = []
    for number in range(count):
        seeker = seekers[number % len(seekers)]
        others = [key for key in provided if key.provider != seeker.peer_id]
        key = others[(number // len(seekers)) % len(others)]
        found = await seeker.find(key.cid)
        done.append(Lookup(seeker.kind, found.seconds, key.provider in found.providers))
    return done


def summary(state: str, lookups: Sequence[Lookup], goal: float) -> list[Latency]:
    """A row for all seekers and one for each kind."""
    kinds = dict.fromkeys(lookup.kind for lookup in lookups)
    rows = [_row(state, "all", lookups, goal)]
    return rows + [_row(state, kind, [one for one in lookups if one.kind == kind], goal) for kind in kinds]


def _row(state: str, who: str, lookups: Sequence[Lookup], goal: float) -> Latency:
    seconds = [lookup.seconds for lookup in lookups]
    found = sum(lookup.found for lookup in lookups)
    p50, p95 = quantile(seconds, 0.5), quantile(seconds, 0.95)
    return Latency(state, who, len(lookups), found, p50, p95, max(seconds), goal)


def table(rows: Iterable[Latency]) -> str:
    """The rows as text."""
    lines = [f"{'swarm':<28}{'seeker':<13}{'found':>9}{'p50':>9}{'p95':>9}{'most':>9}{'goal':>9}"]
    for row in rows:
        times = "".join(f"{seconds:>7.3f} s" for seconds in (row.p50, row.p95, row.greatest, row.goal))
        lines.append(f"{row.state:<28}{row.who:<13}{f'{row.found}/{row.lookups}':>9}{times}  {row.verdict}")
    return "\n".join(lines)


def record(path: Path, rows: Iterable[Latency]) -> None:
    """Write the rows as JSON into the file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    value = [asdict(row) | {"verdict": row.verdict} for row in rows]
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
