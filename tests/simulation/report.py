"""Writes figures as Markdown: one function a table. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.simulation.figures import Fit
from tests.simulation.finding import FindFigures
from tests.simulation.idle import IdleFigures
from tests.simulation.lookups import LookupFigures
from tests.simulation.sybil import SybilFigures
from tests.simulation.tables import TableFigures
from tests.simulation.traffic import Cost, Day, Prices, day

MILLION = 1_000_000
SEARCHES_A_DAY = 100
_MIB = 1 << 20
_MOST_BUCKETS = 12


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, figures to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def lookups(figures: Sequence[LookupFigures], model: Mapping[int, float]) -> str:
    """Lookups by size of the network, and what the lines through them say of a million nodes."""
    head = ["nodes", "paths", "hops", "model", "to model", "hops p95", "requests", "time p50", "p95"]
    head += ["true closest first", "of the k closest", "table"]
    rows = [_lookup_row(figure, model.get(figure.nodes)) for figure in figures]
    single = [figure for figure in figures if figure.paths == 1]
    hops = Fit.through([(figure.nodes, figure.hops) for figure in single])
    requests = Fit.through([(figure.nodes, figure.requests) for figure in single])
    seconds = Fit.through([(figure.nodes, figure.seconds_p50) for figure in single])
    text = table(head, rows)
    if hops is None or requests is None or seconds is None:
        return text
    return (
        f"{text}\n\nLines by least squares over log2 N, one path: hops = {_line(hops)}; requests = {_line(requests)}. "
        f"**Computed from these lines and not simulated**: a million nodes would take {hops.at(MILLION):.2f} hops and "
        f"{requests.at(MILLION):.0f} requests a lookup, {seconds.at(MILLION):.1f} s in the median."
    )


def _lookup_row(figure: LookupFigures, model: float | None) -> list[str]:
    single = model is not None and figure.paths == 1
    return [
        f"{figure.nodes:,}",
        str(figure.paths),
        f"{figure.hops:.2f}",
        f"{model:.2f}" if single else "",
        f"{figure.hops / model - 1:+.0%}" if single and model else "",
        f"{figure.hops_p95:.0f}",
        f"{figure.requests:.1f}",
        f"{figure.seconds_p50:.2f} s",
        f"{figure.seconds_p95:.2f} s",
        f"{figure.exact:.1%}",
        f"{figure.kept:.1f}",
        f"{figure.contacts:.0f}",
    ]


def finding(named: Sequence[tuple[str, FindFigures]]) -> str:
    """Searches for providers after what the name says."""
    head = ["what happened since publishing", "nodes", "searches", "found", "share", "requests", "time p50", "p95"]
    return table(
        head,
        (
            [
                name,
                f"{figure.nodes:,}",
                f"{figure.searches:,}",
                f"{figure.found:,}",
                f"{figure.share:.2%}",
                f"{figure.requests:.1f}",
                f"{figure.seconds_p50:.2f} s",
                f"{figure.seconds_p95:.2f} s",
            ]
            for name, figure in named
        ),
    )


def sybils(figures: Sequence[SybilFigures]) -> str:
    """Searches under attackers around the key."""
    head = [
        "nodes",
        "attackers",
        "their networks",
        "paths",
        "searches",
        "found, published before",
        "found, published after",
    ]
    return table(
        head,
        (
            [
                f"{figure.nodes:,}",
                str(figure.attackers),
                "one /24" if figure.one_network else "as many",
                str(figure.paths),
                str(figure.searches),
                f"{figure.published_before:.0%}",
                f"{figure.published_after:.0%}",
            ]
            for figure in figures
        ),
    )


def tables(figures: Sequence[TableFigures]) -> str:
    """Warm tables beside those of real joins."""
    most = min(_MOST_BUCKETS, max(len([count for count in figure.buckets if count > 0.1]) for figure in figures))
    head = ["tables", *[str(index) for index in range(most)], "neighbours", "hops", "requests"]
    return table(
        head,
        (
            [
                figure.how,
                *[f"{count:.1f}" for count in figure.buckets[:most]],
                f"{figure.neighbours:.1f}",
                f"{figure.lookups.hops:.2f}",
                f"{figure.lookups.requests:.1f}",
            ]
            for figure in figures
        ),
    )


def idling(figures: Sequence[IdleFigures]) -> str:
    """What nodes send that do nothing but keep their tables."""
    head = ["nodes, all idle", "requests an hour", "of them to peers in doubt", "sent"]
    rows = (
        [
            f"{figure.nodes:,}",
            f"{figure.requests_hour:,.0f}",
            f"{figure.probes_hour:,.0f}",
            f"{figure.bytes_second:,.0f} B/s",
        ]
        for figure in figures
    )
    return table(head, rows)


def upkeep(figures: Sequence[IdleFigures], nodes: int) -> Cost:
    """A day of upkeep in a network of `nodes`, from the line through what was measured in smaller ones."""
    requests = Fit.through([(figure.nodes, figure.requests_hour) for figure in figures])
    sent = Fit.through([(figure.nodes, figure.bytes_second) for figure in figures])
    assert requests is not None, "two sizes at least"
    assert sent is not None, "two sizes at least"
    return Cost(requests.at(nodes) * 24, sent.at(nodes) * 24 * 3600)


def traffic(priced: Prices, kept_up: Cost) -> str:
    """A node's day as its keys grow."""
    head = ["keys per node", "lookups of a sweep", "FIND_NODE per key, one by one", "by sweep", "times fewer", "placed"]
    head += ["a day, one by one", "a day, by sweep", "of it ADD_PROVIDER", "upkeep", "searches"]
    rows = []
    for swept in priced.sweeps:
        total = day(priced, swept, kept_up, SEARCHES_A_DAY)
        per_key = swept.cost.requests / swept.keys
        rows.append(
            [
                f"{swept.keys:,}",
                f"{swept.lookups:,}",
                f"{priced.lookup.requests:.1f}",
                f"{per_key:.2f}",
                f"{priced.lookup.requests / per_key:.1f}",
                f"{swept.placed:.1%}",
                *_sizes(total),
            ]
        )
    return table(head, rows)


def _sizes(total: Day) -> list[str]:
    parts = (total.one_by_one, total.by_sweep, total.adding, total.upkeep, total.searching)
    return [f"{part.sent_bytes / _MIB:,.1f} MiB" for part in parts]


def _line(fit: Fit) -> str:
    return f"{fit.at_one:.2f} + {fit.a_doubling:.3f} log2 N"
