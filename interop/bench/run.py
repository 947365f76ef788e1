"""One run of the benchmark: what was asked for, what is there, what has been measured, and how long it may last."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from interop.bench.figures import Failure, Figures
from interop.bench.work import DISK, GO, PYTHON, RUST, RUST_054, TMPFS
from interop.kinds import Kind

NAMES = {Kind.PYTHON: PYTHON, Kind.GO: GO, Kind.RUST_NEWEST: RUST, Kind.RUST_054: RUST_054}
"""What tables call each kind; the newest Rust peer is the Rust peer."""
_REASON_CHARS = 400


@dataclass(frozen=True, slots=True)
class Options:
    """`budget_s`: after so many seconds no further round and no further group is begun."""

    rounds: int
    quick: bool
    budget_s: float


@dataclass(slots=True)
class Run:
    """`tmpfs` and `disk` are directories of this run's own; `deadline` is in trio's time."""

    options: Options
    figures: Figures
    tmpfs: Path
    disk: Path
    kinds: Sequence[Kind]
    deadline: float

    @property
    def spent(self) -> bool:
        """Whether the time is up."""
        return trio.current_time() >= self.deadline

    def folder(self, place: str, name: str) -> Path:
        """A directory `name` on the file system that `place` means."""
        folder = {TMPFS: self.tmpfs, DISK: self.disk}[place] / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def has(self, *kinds: Kind) -> bool:
        """Whether peers of all these kinds can be run here."""
        return all(kind in self.kinds for kind in kinds)

    def say(self, text: str) -> None:
        """Tell of progress, on stderr."""
        print(text, file=sys.stderr, flush=True)

    def failed(self, what: str, why: str) -> None:
        """Note that there is no figure, and why; of several times the last is kept."""
        line = " ".join(why.split())
        self.say(f"  {what}: no figure: {line}")
        self.figures.failed(Failure(what, line[-_REASON_CHARS:]))
