"""Growth is told from chance: a leak in noise is seen, noise alone and a step while warming up are not."""

from __future__ import annotations

import math
import random

import pytest

from interop.soak.growth import fit


def test_the_line_through_points_of_a_line() -> None:
    line = fit([1.0, 2.0, 3.0, 5.0], [3.0, 5.0, 7.0, 11.0])
    assert line.slope == pytest.approx(2.0)
    assert line.error == pytest.approx(0.0, abs=1e-9)
    assert line.rise == pytest.approx(8.0)
    assert line.beyond_doubt == pytest.approx(2.0)


def test_a_leak_in_noise_is_beyond_doubt() -> None:
    noise = random.Random(1)
    xs = [number / 2 for number in range(40)]
    assert fit(xs, [100 + 4 * x + noise.gauss(0, 10) for x in xs]).beyond_doubt > 2


def test_noise_alone_is_not() -> None:
    for seed in range(20):
        noise = random.Random(seed)
        xs = [number / 2 for number in range(40)]
        assert fit(xs, [100 + noise.gauss(0, 10) for x in xs]).beyond_doubt < 1


@pytest.mark.parametrize(("xs", "ys"), [([], []), ([1.0], [5.0]), ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0])])
def test_where_there_is_no_line_nothing_is_certain(xs: list[float], ys: list[float]) -> None:
    line = fit(xs, ys)
    assert (line.slope, line.error, line.rise) == (0.0, math.inf, 0.0)
    assert line.beyond_doubt == 0.0


def test_two_points_prove_nothing() -> None:
    line = fit([1.0, 2.0], [1.0, 100.0])
    assert line.slope == pytest.approx(99.0)
    assert line.beyond_doubt == 0.0
