"""Slices take about as long as they should, and rest in proportion."""

from __future__ import annotations

import pytest

from chiral.pinning.pace import Pace


@pytest.mark.parametrize("block_s", [1e-6, 10e-6, 100e-6])
def test_slices_come_to_take_what_they_should(block_s: float) -> None:
    pace = Pace(slice_s=0.004, share=0.5)
    for _ in range(50):
        pace.took(pace.blocks * block_s)
    assert pace.blocks == 4096 or 0.0025 <= pace.blocks * block_s <= 0.0065


def test_the_share_of_the_time() -> None:
    assert Pace(0.004, 0.5).took(0.004) == pytest.approx(0.004)
    assert Pace(0.004, 0.25).took(0.004) == pytest.approx(0.012)
    assert Pace(0.004, 1.0).took(0.004) == 0


def test_a_slow_disk_is_not_waited_for_twice() -> None:
    pace = Pace(0.004, 0.1, blocks=20)
    assert pace.took(60) == 0.25
    assert pace.took(60) == 0.25
    assert pace.blocks == 16
