"""When a node serves."""

from __future__ import annotations

import pytest

from chiral.kad.mode import Mode, Reachability, should_serve


@pytest.mark.parametrize("reachability", ["unknown", "reachable", "unreachable"])
@pytest.mark.parametrize("listens", [True, False])
def test_a_fixed_mode_stays(reachability: Reachability, listens: bool) -> None:
    assert should_serve("server", reachability, listens=listens)
    assert not should_serve("client", reachability, listens=listens)


@pytest.mark.parametrize(
    ("reachability", "listens", "serves"),
    [
        ("unknown", True, True),
        ("reachable", True, True),
        ("unreachable", True, False),
        ("unknown", False, False),
        ("reachable", False, False),
        ("unreachable", False, False),
    ],
)
def test_auto_serves_while_nothing_speaks_against_it(reachability: Reachability, listens: bool, serves: bool) -> None:
    mode: Mode = "auto"
    assert should_serve(mode, reachability, listens=listens) is serves
