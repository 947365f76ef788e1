"""The compact set of CIDs: what a dictionary says, in a fraction of the memory."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from chiral.files.archive_seen import SeenCids

KEY = bytes(range(16))


@given(st.lists(st.binary(max_size=40)))
def test_it_numbers_as_a_dictionary_does(cids: list[bytes]) -> None:
    seen, known = SeenCids(KEY), dict[bytes, int]()
    for cid in cids:
        assert (cid in seen) == (cid in known)
        expected = known.get(cid)
        assert seen.number(cid) == ((len(known), True) if expected is None else (expected, False))
        known.setdefault(cid, len(known))
        assert len(seen) == len(known)


def test_it_grows_and_stays_small() -> None:
    seen = SeenCids(KEY)
    cids = [number.to_bytes(36, "big") for number in range(50_000)]
    assert [seen.number(cid) for cid in cids] == [(number, True) for number in range(50_000)]
    assert [seen.number(cid) for cid in cids] == [(number, False) for number in range(50_000)]
    held = sys.getsizeof(seen._names) + sum(map(sys.getsizeof, seen._tables))
    assert held < 48 * len(cids)
