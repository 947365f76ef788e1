"""What a run measures, by size and effort, section by section as Markdown."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.simulation import finding, idle, lookups, report, sybil, tables, traffic
from tests.simulation.conditions import NODE, Conditions
from tests.simulation.finding import FindFigures
from tests.simulation.model import Model
from tests.simulation.population import remembered_points

_SIZES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
_MOST_LIVING = 10_000
"""Where nodes die or come: more would take hours and show the same."""
_MOST_ATTACKED = 2_000
SECTIONS = {
    "lookups": "Lookups, nobody dead",
    "finding": "Finding a provider",
    "sybils": "Attackers around a key",
    "traffic": "Traffic",
    "tables": "Warm start beside real joins",
}
"""Titles by name, in their order."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of each thing is done."""

    lookups: int
    model_lookups: int
    searches: int
    keys: int
    sybil_searches: int
    joined: int
    idle_sizes: tuple[int, ...]
    living: int
    """Nodes of the churn in which every node joins and refreshes by its own messages; 0 leaves that out."""
    sweeps: tuple[int, ...] = (10, 100, 1_000, 10_000)


QUICK = Effort(200, 200, 500, 100, 50, 150, (20, 50), 0, (10, 100, 1_000))
NORMAL = Effort(1_000, 1_000, 5_000, 200, 200, 1_000, (50, 100, 200), 150)
FULL = Effort(2_000, 2_000, 10_000, 500, 500, 1_000, (50, 100, 300, 1_000), 300)


@dataclass(frozen=True, slots=True)
class Run:
    """A run over networks of up to `nodes` nodes; progress goes to `say`."""

    nodes: int
    seed: int
    effort: Effort
    say: Say
    only: tuple[str, ...] = ()
    """The sections that are wanted, by name; none: all."""

    @property
    def living(self) -> int:
        """The size of the networks in which nodes die."""
        return min(self.nodes, _MOST_LIVING)

    def sizes(self) -> list[int]:
        """The sizes at which lookups are measured."""
        fixed = [size for size in _SIZES if size < self.nodes and size not in (30_000, 300_000)]
        return [*fixed, self.nodes]

    def sections(self) -> Iterator[tuple[str, str]]:
        """Title and Markdown of each section, one after the other as they are measured."""
        measures = (self.lookups, self.finding, self.sybils, self.traffic, self.tables)
        for (name, title), measure in zip(SECTIONS.items(), measures, strict=True):
            if self.only and name not in self.only:
                continue
            began = time.process_time()
            with remembered_points(), _without_collection():
                text = measure()
            self.say(f"{title}: {time.process_time() - began:.0f} s of CPU, {_peak_gib():.2f} GiB at the most so far")
            yield title, text

    def lookups(self) -> str:
        figures = []
        model = {}
        for size in self.sizes():
            began = time.process_time()
            model[size] = Model(size, self.seed, k=NODE.k, alpha=NODE.alpha).mean_hops(self.effort.model_lookups)
            paths = tuple(dict.fromkeys((1, NODE.disjoint_paths))) if size <= self.living else (1,)
            figures += lookups.of_size(size, self.effort.lookups, self.seed, paths)
            gc.collect()  # one network goes before the next comes
            self.say(f"  {size:,} nodes: {time.process_time() - began:.0f} s of CPU, {_peak_gib():.2f} GiB")
        return report.lookups(figures, model)

    def finding(self) -> str:
        named = []
        effort = self.effort
        for share in (0.0, 0.1, 0.3, 0.5):
            name = f"{share:.0%} died at once" if share else "nothing"
            named.append(
                (
                    name,
                    self._found(
                        finding.after_deaths(
                            self.living, share, keys=effort.keys, searches=effort.searches, seed=self.seed
                        ),
                        name,
                    ),
                )
            )
        for share in (0.3, 0.5):
            name = f"12 h of churn, {share:.0%} replaced, tables not kept"
            figure = finding.after_interval(
                self.living, share, real=False, keys=effort.keys, searches=effort.searches, seed=self.seed
            )
            named.append((name, self._found(figure, name)))
        if effort.living:
            name = "12 h of churn, 30% replaced, real joins and refreshes"
            figure = finding.after_interval(
                effort.living, 0.3, keys=20, searches=effort.searches, seed=self.seed, real=True, sigma=1.5
            )
            named.append((name, self._found(figure, name)))
        return report.finding(named)

    def _found(self, figure: FindFigures, name: str) -> FindFigures:
        gc.collect()  # one network goes before the next comes
        self.say(f"  {name}: {figure.found} of {figure.searches}")
        return figure

    def sybils(self) -> str:
        figures = []
        for attackers in (10, 20, 40):
            for one_network in (False, True):
                for paths in dict.fromkeys((1, NODE.disjoint_paths)):
                    figures.append(
                        sybil.around_keys(
                            min(self.nodes, _MOST_ATTACKED),
                            attackers,
                            one_network=one_network,
                            keys=10,
                            searches=self.effort.sybil_searches,
                            seed=self.seed,
                            conditions=Conditions(paths=paths),
                        )
                    )
                    self.say(f"  {figures[-1]}")
        return report.sybils(figures)

    def traffic(self) -> str:
        idling = [idle.idle(size, 1.0, self.seed) for size in self.effort.idle_sizes]
        priced = traffic.prices(self.living, self.effort.sweeps, min(200, self.effort.lookups), self.seed)
        return (
            f"{report.idling(idling)}\n\nA node's day in a network of {self.living:,} nodes, with "
            f"{report.SEARCHES_A_DAY} searches; its upkeep is computed from the line through the figures above.\n\n"
            f"{report.traffic(priced, report.upkeep(idling, self.living))}"
        )

    def tables(self) -> str:
        return report.tables(tables.compare(min(self.nodes, self.effort.joined), self.effort.lookups, self.seed))


class _without_collection:  # noqa: N801 - reads as a statement
    """Within it the collector of cycles rests: it would go through tens of millions of objects that all stay."""

    def __enter__(self) -> None:
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()
        gc.collect()


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
