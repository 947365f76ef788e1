"""`make bench`: every figure beside the Rust and Go peers', one table and one JSON file, from one run.

The table goes to stdout, progress to stderr, both results to `bench-results/`.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import trio

import chiral
from interop.bench import (
    adding,
    archives,
    blocks,
    catalogue,
    ceilings,
    collecting,
    delay,
    dht,
    dht_idle,
    idle,
    large,
    record,
    small_files,
    whole_files,
)
from interop.bench.facts import facts
from interop.bench.figures import Failure, Figures
from interop.bench.places import memory_directory
from interop.bench.reach import verdicts
from interop.bench.rounds import FAULTS
from interop.bench.run import NAMES, Options, Run
from interop.bench.table import report
from interop.build import BuildError, ensure
from interop.kinds import BUILT, Kind

RESULTS = Path("bench-results")
DOCUMENT = Path(chiral.__file__).parent / "docs" / "performance.md"
_ROUNDS, _QUICK_ROUNDS = 5, 3
_BUDGET_S = 900.0
_GRACE_S = 300.0
"""How long after the budget the round under way may take before it is cut off."""

Measure = Callable[[Run], Awaitable[None]]
GROUPS: Mapping[str, Sequence[Measure]] = {
    "ceilings": (ceilings.measure,),
    "get": (whole_files.measure,),
    "blocks": (blocks.measure,),
    "add": (adding.measure,),
    "car": (archives.measure,),
    "idle": (idle.measure,),
    "large": (large.measure,),
    "disk": (whole_files.measure_on_disk, adding.measure_on_disk),
    "delay": (delay.measure,),
    "small": (small_files.measure,),
    "dht": (dht.measure, dht_idle.measure),
    "catalogue": (catalogue.measure,),
    "collect": (collecting.measure,),
}
_NOT_QUICK = frozenset({"large"})


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_ROUNDS} rounds, files to 100 MiB")
    parser.add_argument("--rounds", type=int, help=f"rounds that count (default {_ROUNDS})")
    parser.add_argument("--only", action="append", choices=list(GROUPS), metavar="NAME", help=f"of {', '.join(GROUPS)}")
    parser.add_argument(
        "--budget", type=float, default=_BUDGET_S, metavar="S", help="begin nothing new after this long"
    )
    parser.add_argument("--disk", type=Path, default=Path("/var/tmp"), metavar="DIR", help="a directory on a disk")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help=f"default {RESULTS}")
    parser.add_argument("--record", action="store_true", help=f"write the tables into {DOCUMENT.name} too")
    parser.add_argument("--from", dest="source", type=Path, metavar="JSON", help="measure nothing, show these figures")
    return parser.parse_args(arguments)


def options_of(asked: argparse.Namespace) -> Options:
    """What the command line says of the run itself."""
    rounds = asked.rounds or (_QUICK_ROUNDS if asked.quick else _ROUNDS)
    return Options(max(1, rounds), asked.quick, asked.budget)


def chosen(asked: argparse.Namespace) -> list[str]:
    """The groups to measure, in their own order."""
    if asked.only:
        return [name for name in GROUPS if name in asked.only]
    return [name for name in GROUPS if not (asked.quick and name in _NOT_QUICK)]


async def measure_groups(run: Run, names: Sequence[str]) -> None:
    """Group after group; one that cannot be measured is noted and the next begun."""
    for name in names:
        if run.spent:
            run.failed(name, "the time was up before it began")
            continue
        run.say(name)
        try:
            for measure in GROUPS[name]:
                await measure(run)
        except* FAULTS as faults:
            run.failed(name, "; ".join(reasons(faults)))


def reasons(faults: BaseExceptionGroup[Exception]) -> list[str]:
    """What each of them says; the nurseries that peers run in wrap what passes through them."""
    said = []
    for fault in faults.exceptions:
        said += reasons(fault) if isinstance(fault, BaseExceptionGroup) else [str(fault) or type(fault).__name__]
    return said


def built(figures: Figures) -> list[Kind]:
    """The kinds that can take part, built before the clock runs; those that cannot are noted."""
    kinds = [Kind.PYTHON]
    for kind in BUILT:
        try:
            ensure(kind)
        except BuildError as error:
            figures.failed(Failure(NAMES[kind], str(error)))
        else:
            kinds.append(kind)
    return kinds


async def measure_all(asked: argparse.Namespace, figures: Figures, tmpfs: Path, disk: Path) -> None:
    """The run itself; `figures` fills while it lasts."""
    kinds = await trio.to_thread.run_sync(built, figures)
    options = options_of(asked)
    figures.facts.update(facts(options, tmpfs, disk, kinds))
    run = Run(options, figures, tmpfs, disk, kinds, trio.current_time() + options.budget_s)
    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.deadline = run.deadline + _GRACE_S
        nursery.start_soon(_stop_when_told, nursery.cancel_scope)
        await measure_groups(run, chosen(asked))
        nursery.cancel_scope.cancel()
        return
    run.failed("the rest", "the run was cut off: interrupted, or its time was up")


async def _stop_when_told(scope: trio.CancelScope) -> None:
    """End peers and remove what lies about before the process ends."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


def measured(asked: argparse.Namespace) -> Figures:
    """Measure with scratch directories that are gone afterwards; a run that is cut off keeps what it has."""
    figures = Figures()
    memory = memory_directory()
    tmpfs, disk = (Path(tempfile.mkdtemp(prefix="chiral-bench-", dir=place)) for place in (memory, asked.disk))
    try:
        trio.run(measure_all, asked, figures, tmpfs, disk)
    finally:
        for scratch in (tmpfs, disk):
            shutil.rmtree(scratch, ignore_errors=True)
    return figures


def main() -> int:
    """Measure or read, print, save; 0 whatever the figures are, 1 if there are none."""
    asked = parse()
    figures = record.load(asked.source) if asked.source else measured(asked)
    found = verdicts(figures)
    text = report(figures, found)
    if not asked.source:
        record.save(asked.results, figures, found, text)
    if asked.record:
        record.write_into(DOCUMENT, text)
    print(text)
    return 0 if figures.series() else 1


if __name__ == "__main__":
    sys.exit(main())
