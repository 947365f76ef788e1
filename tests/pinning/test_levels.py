"""When a collection is due, and when it has done enough."""

from __future__ import annotations

import pytest

from chiral.pinning.levels import Levels
from chiral.pinning.settings import CollectionSettings


def test_off_by_default() -> None:
    levels = CollectionSettings().levels(1000)
    assert levels.off
    assert not levels.due(1 << 60, since_last_s=1e9, left_by_last=None)


def test_shares_are_of_the_quota_and_bytes_go_before_them() -> None:
    settings = CollectionSettings(high_water=0.9, low_water=0.8)
    assert settings.levels(1000) == Levels(900, 800)
    assert settings.levels(0).off
    assert CollectionSettings(high_water_bytes=5, high_water=0.9, low_water_bytes=7).levels(1000) == Levels(5, 5)


@pytest.mark.parametrize(
    ("held", "left_by_last", "due"),
    [(899, None, False), (900, None, True), (950, 700, True), (950, 950, False), (951, 950, True), (899, 950, False)],
)
def test_by_level(held: int, left_by_last: int | None, due: bool) -> None:
    assert Levels(900, 800).due(held, since_last_s=0, left_by_last=left_by_last) is due


def test_by_time() -> None:
    levels = Levels(interval_s=60)
    assert not levels.off
    assert not levels.due(5, since_last_s=59, left_by_last=None)
    assert levels.due(0, since_last_s=60, left_by_last=0)


def test_enough_at_the_low_mark() -> None:
    assert Levels(900, 800).enough(800)
    assert not Levels(900, 800).enough(801)
