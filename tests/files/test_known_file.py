from __future__ import annotations

from dataclasses import replace

import pytest

from chiral.block.cid import CID, DAG_PB
from chiral.files.known_file import MAX_OTHER_NAMES, joined, later
from tests.contracts.catalogued import file_of

KNOWN = file_of("first.txt", b"one")[0]


def test_the_first_name_and_time_stay() -> None:
    again = replace(KNOWN, name="second.txt", added_at=9_999_999_999, created_at=9_999_999_999)
    assert joined(KNOWN, again) == replace(KNOWN, other_names=("second.txt",))


def test_the_same_again_changes_nothing() -> None:
    assert joined(KNOWN, KNOWN) == KNOWN
    once = joined(KNOWN, replace(KNOWN, name="second.txt"))
    assert joined(once, replace(KNOWN, name="second.txt")) == once
    assert joined(once, KNOWN) == once


def test_what_is_said_comes_together() -> None:
    known = replace(KNOWN, tags=("b",), dag_root=CID.of(b"old", DAG_PB))
    again = replace(KNOWN, tags=("a", "b"), mime="text/plain", dag_root=CID.of(b"new", DAG_PB))
    found = joined(known, again)
    assert (found.tags, found.mime, found.dag_root) == (("a", "b"), "text/plain", CID.of(b"new", DAG_PB))
    assert joined(known, KNOWN).dag_root == known.dag_root


def test_other_names_are_not_without_number() -> None:
    found = KNOWN
    for number in range(MAX_OTHER_NAMES + 5):
        found = joined(found, replace(KNOWN, name=f"name {number}"))
    assert found.other_names == tuple(f"name {number}" for number in range(MAX_OTHER_NAMES))


@pytest.mark.parametrize(
    ("one", "other", "last"), [(1, 2, 2), (2, 1, 2), (None, 5, None), (5, None, None), (None, None, None)]
)
def test_the_longer_life_is_lived(one: int | None, other: int | None, last: int | None) -> None:
    assert later(one, other) == last
    assert joined(replace(KNOWN, expires_at=one), replace(KNOWN, expires_at=other)).expires_at == last
