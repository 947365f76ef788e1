"""Plain statistics of what was counted, and the straight line through it. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2
from statistics import fmean, linear_regression


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that so large a share of them does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of none."""
    return fmean(values) if values else 0.0


@dataclass(frozen=True, slots=True)
class Fit:
    """`at_one + a_doubling * log2 N`, by least squares."""

    at_one: float
    a_doubling: float

    @classmethod
    def through(cls, points: Sequence[tuple[int, float]]) -> Fit | None:
        """The line through figures by number of nodes; None of fewer than two."""
        if len(points) < 2:
            return None
        line = linear_regression([log2(nodes) for nodes, _ in points], [figure for _, figure in points])
        return cls(line.intercept, line.slope)

    def at(self, nodes: int) -> float:
        """What the line says for so many nodes."""
        return self.at_one + self.a_doubling * log2(nodes)
