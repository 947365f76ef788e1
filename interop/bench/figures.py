"""The figures of one run: every sample under its work and who did it, medians and ratios of medians. Does no I/O."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from interop.bench.work import GO, RUST, Better, Sample, Work, pair

BASES: Mapping[str, tuple[str, ...]] = {GO: (pair(GO, GO), GO), RUST: (pair(RUST, RUST), RUST)}
"""Who stands for the Go and the Rust peer: among themselves where two are needed, alone where one is."""


@dataclass(frozen=True, slots=True)
class Series:
    """All values of one work by one contestant, in the order measured; never empty."""

    work: Work
    who: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the values."""
        return statistics.median(self.values)


@dataclass(frozen=True, slots=True)
class Failure:
    """A turn, or a whole group of them, that gave no figure, and why."""

    what: str
    why: str


class Figures:
    """Grows while a run lasts; `facts` say on what machine and with what options it ran."""

    def __init__(self, facts: Mapping[str, str] | None = None) -> None:
        self.facts: dict[str, str] = dict(facts or {})
        self.failures: list[Failure] = []
        self._values: dict[tuple[Work, str], list[float]] = {}

    def take(self, samples: Iterable[Sample]) -> None:
        """Add measured values."""
        for sample in samples:
            self._values.setdefault((sample.work, sample.who), []).append(sample.value)

    def failed(self, failure: Failure) -> None:
        """Note a failure, in place of an earlier one of the same."""
        self.failures = [*(known for known in self.failures if known.what != failure.what), failure]

    def series(self) -> list[Series]:
        """Everything measured: works in the order in which they came up first, contestants within a work likewise."""
        order = {work: number for number, work in enumerate(dict.fromkeys(work for work, _ in self._values))}
        found = [Series(work, who, tuple(values)) for (work, who), values in self._values.items()]
        return sorted(found, key=lambda series: order[series.work])

    def median(self, work: Work, who: str) -> float | None:
        """The median of what `who` did, or None if it was not measured."""
        values = self._values.get((work, who))
        return statistics.median(values) if values else None

    def base(self, work: Work, name: str) -> float | None:
        """The median of the Go or the Rust peer (`name` is a key of `BASES`), or None."""
        medians = (self.median(work, who) for who in BASES[name])
        return next((median for median in medians if median is not None), None)

    def ratio(self, work: Work, who: str, base: float | None) -> float | None:
        """How many times as good `who` is as `base`: 2 is twice the rate or half the time.

        None where either was not measured, or is nothing, or the work is not one to compare.
        """
        value = self.median(work, who)
        if not value or not base or not work.compared:
            return None
        return value / base if work.better is Better.MORE else base / value

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values; `from_json` reads it back."""
        return {
            "facts": self.facts,
            "figures": [self._entry(series) for series in self.series()],
            "failures": [asdict(failure) for failure in self.failures],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Figures that `to_json` gave; medians and ratios are computed anew. Raises `ValueError` if they are not."""
        try:
            figures = cls(value["facts"])
            figures.failures = [Failure(str(entry["what"]), str(entry["why"])) for entry in value["failures"]]
            for entry in value["figures"]:
                better = Better(entry["better"])
                work = Work(entry["work"], entry["unit"], better, entry["place"], entry["compared"])
                figures.take(Sample(work, entry["who"], float(sample)) for sample in entry["samples"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the figures of a run: {error!r}") from error
        return figures

    def _entry(self, series: Series) -> dict[str, Any]:
        work = series.work
        ratios = {
            f"to_{name.lower()}": self.ratio(work, series.who, self.base(work, name))
            for name, own in BASES.items()
            if series.who not in own
        }
        return {
            "work": work.name,
            "who": series.who,
            "unit": work.unit,
            "better": work.better.value,
            "place": work.place,
            "compared": work.compared,
            "median": series.median,
            "low": min(series.values),
            "high": max(series.values),
            **ratios,
            "samples": list(series.values),
        }
