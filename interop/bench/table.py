"""Figures and goals as Markdown. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from interop.bench.figures import BASES, Figures, Series
from interop.bench.reach import Verdict
from interop.bench.work import GO, RUST, Work

_NONE = ""
_STAND_INS = frozenset(who for own in BASES.values() for who in own)
_KEY = (
    "Medians, in brackets the least and the greatest. A ratio says how many times as good as the Go peer (Go from Go) "
    "or the Rust peer (Rust from Rust): 2 x is twice the rate, or half of the time, the memory or the CPU."
)


def number(value: float) -> str:
    """Three digits that mean something, no exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def figures_table(figures: Figures) -> str:
    """A row for each work and contestant that is not the Go or the Rust peer by itself; those stand in columns."""
    rows = [_row(figures, series) for series in figures.series() if series.who not in _STAND_INS]
    return markdown(["work", "on", "unit", "who", "figure", GO, RUST, f"to {GO}", f"to {RUST}"], rows)


def reach_table(verdicts: Sequence[Verdict]) -> str:
    """A row for each goal."""
    rows = []
    for verdict in verdicts:
        goal = verdict.goal
        reached = _NONE if verdict.value is None else f"{number(verdict.value)} {goal.unit}"
        limits = [f"{limit:g} {goal.unit}" for limit in (goal.at_least, goal.aim)]
        rows.append([goal.text, reached, *limits, verdict.text])
    return markdown(["goal", "reached", "wanted", "aim", "verdict"], rows)


def report(figures: Figures, verdicts: Sequence[Verdict]) -> str:
    """All of a run: what it ran on, the table, the goals, and what gave no figure."""
    facts = [f"- {name}: {value}" for name, value in figures.facts.items()]
    parts = ["\n".join(facts), _KEY, figures_table(figures), reach_table(verdicts)]
    if figures.failures:
        parts.append("\n".join(["No figure:", *(f"- {entry.what}: {entry.why}" for entry in figures.failures)]))
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with its columns set in line, so that it reads as plain text too."""
    table = [list(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    widths = [max(3, *(len(row[column]) for row in table)) for column in range(len(head))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def _row(figures: Figures, series: Series) -> list[str]:
    work = series.work
    bases = [figures.base(work, name) for name in (GO, RUST)]
    ratios = [figures.ratio(work, series.who, base) for base in bases]
    return [
        work.name,
        work.place,
        work.unit,
        series.who,
        _figure(series),
        *(_NONE if base is None else number(base) for base in bases),
        *(_NONE if ratio is None else f"{number(ratio)} x" for ratio in ratios),
    ]


def _figure(series: Series) -> str:
    if len(series.values) == 1:
        return number(series.median)
    return f"{number(series.median)} ({number(min(series.values))}-{number(max(series.values))})"


def progress_line(work: Work, who: str, value: float) -> str:
    """One sample, as shown while a run lasts."""
    place = f" on {work.place}" if work.place else ""
    return f"{work.name}{place}, {who}: {number(value)} {work.unit}"
