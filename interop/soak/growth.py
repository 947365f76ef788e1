"""Whether something grows with what was moved: a straight line through samples, and how far it can be trusted. No I/O.

Memory swings by what the allocator happens to keep, so a slope counts only where chance does not explain it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CERTAIN_ERRORS = 2.0
"""A slope is beyond doubt only as far as it is more than so many of its standard errors above nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """Least squares: `slope` a unit of x, its standard error (infinite for under three samples), its length along x."""

    slope: float
    error: float
    length: float

    @property
    def rise(self) -> float:
        """How much higher the line ends than it begins."""
        return self.slope * self.length

    @property
    def beyond_doubt(self) -> float:
        """The growth that is left when chance is given its due; 0 or more."""
        return max(0.0, self.slope - CERTAIN_ERRORS * self.error)


def fit(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """The line through samples `ys` at `xs`, as many of each; flat and wholly uncertain where there is no line."""
    count = len(xs)
    if count < 2 or min(xs) == max(xs):
        return Line(0.0, math.inf, 0.0)
    length = max(xs) - min(xs)
    mean_x, mean_y = sum(xs) / count, sum(ys) / count
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    if count == 2:
        return Line(slope, math.inf, length)
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    return Line(slope, math.sqrt(rest / (count - 2) / spread), length)
