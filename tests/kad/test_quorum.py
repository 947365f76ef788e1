from __future__ import annotations

import pytest

from chiral.errors import UsageError
from chiral.kad.quorum import Quorum, parse_quorum, votes_needed


@pytest.mark.parametrize(
    ("quorum", "of", "needed"),
    [
        ("one", 0, 1),
        ("one", 20, 1),
        ("majority", 0, 1),
        ("majority", 1, 1),
        ("majority", 4, 3),
        ("majority", 5, 3),
        ("majority", 20, 11),
        ("all", 0, 1),
        ("all", 20, 20),
        (7, 20, 7),
        (21, 20, 21),
    ],
)
def test_how_many_are_needed(quorum: Quorum, of: int, needed: int) -> None:
    assert votes_needed(quorum, of) == needed


@pytest.mark.parametrize("quorum", [0, -1, "some"])
def test_what_is_no_quorum(quorum: Quorum) -> None:
    with pytest.raises(UsageError):
        votes_needed(quorum, 20)


@pytest.mark.parametrize(("text", "quorum"), [("one", "one"), ("majority", "majority"), ("all", "all"), ("3", 3)])
def test_reading(text: str, quorum: Quorum) -> None:
    assert parse_quorum(text) == quorum


@pytest.mark.parametrize("text", ["", "0", "-1", "1001", "two", "1.5", "\u00b2", "9" * 5000])
def test_what_is_not_read(text: str) -> None:
    with pytest.raises(UsageError):
        parse_quorum(text)
