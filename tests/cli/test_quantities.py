from __future__ import annotations

from datetime import datetime

import click
import pytest

from chiral.cli.quantities import Lifetime, Moment, Size, lifetime_of


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("4096", 4096), ("10k", 10_240), ("1.5MiB", 3 << 19), ("2 GB", 2 << 30), ("1t", 1 << 40), ("7B", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("12h", 43_200), ("30d", 2_592_000), ("2W", 1_209_600), ("1.5min", 90), ("1y", 31_536_000)],
)
def test_lifetimes(text: str, seconds: float) -> None:
    assert Lifetime().convert(text, None, None) == seconds


def test_never_is_no_lifetime() -> None:
    assert lifetime_of(Lifetime().convert("Never", None, None)) is None
    assert lifetime_of(Lifetime().convert("5", None, None)) == 5


def test_moments() -> None:
    moment = Moment()
    assert moment.convert("2026-01-31", None, None) == int(datetime(2026, 1, 31).astimezone().timestamp())
    assert moment.convert("2026-01-31T12:30:00+00:00", None, None) == 1_769_862_600
    now, week_ago = moment.convert("0.001s", None, None), moment.convert("7d", None, None)
    assert now - week_ago == pytest.approx(7 * 86_400, abs=2)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Size(), "large"),
        (Size(), "-1"),
        (Size(), "1x"),
        (Size(), ""),
        (Lifetime(), "soon"),
        (Lifetime(), "0"),
        (Lifetime(), "-5d"),
        (Moment(), "yesterday"),
        (Moment(), "2026-13-01"),
        (Moment(), "7"),
    ],
)
def test_what_is_none(kind: click.ParamType, text: str) -> None:
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)
