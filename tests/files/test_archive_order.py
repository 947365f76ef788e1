"""The order of an archive: that of a plain recursion that leaves out what it has met."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID
from chiral.errors import MalformedContentError
from chiral.files import archive_order
from chiral.files.archive_order import DepthFirst

KEY = bytes(16)
CIDS = [CID.of(bytes([number])) for number in range(12)]
Dag = dict[CID, list[CID]]


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    """Links lead to later CIDs alone, the same one perhaps several times."""
    return {
        cid: draw(st.lists(st.sampled_from(CIDS[number + 1 :]), max_size=5)) if number + 1 < len(CIDS) else []
        for number, cid in enumerate(CIDS)
    }


def walked(dag: Dag, roots: list[CID]) -> list[tuple[CID, int]]:
    order = DepthFirst(roots, KEY)
    found = []
    while (cid := order.next()) is not None:
        found.append((cid, order.depth))
        order.take(1, [link.buffer for link in dag[cid]])
    return found


def recursed(dag: Dag, cid: CID, depth: int, met: dict[CID, int]) -> None:
    if cid not in met:
        met[cid] = depth
        for link in dag[cid]:
            recursed(dag, link, depth + 1, met)


@given(dags(), st.lists(st.sampled_from(CIDS), min_size=1, max_size=3))
def test_depth_first_each_once(dag: Dag, roots: list[CID]) -> None:
    met: dict[CID, int] = {}
    for root in roots:
        recursed(dag, root, 0, met)
    assert walked(dag, roots) == list(met.items())


@given(dags(), st.integers(1, 6))
def test_what_lies_ahead_is_what_comes(dag: Dag, count: int) -> None:
    order = DepthFirst(CIDS[:1], KEY)
    said: list[bytes] = []
    came = []
    while (cid := order.next()) is not None:
        came.append(cid.buffer)
        order.take(1, [link.buffer for link in dag[cid]])
        ahead = list(order.ahead(count))
        assert len(ahead) <= count
        assert not set(ahead) & set(came)
        said += ahead
    assert set(said) <= set(came)


def test_a_leaf_between_leaves_is_followed_by_its_neighbours() -> None:
    order = DepthFirst(CIDS[:1], KEY)
    order.next()
    order.take(1, [cid.buffer for cid in CIDS[1:]])
    assert order.next() == CIDS[1]
    order.take(1, [])
    assert list(order.ahead(3)) == [cid.buffer for cid in CIDS[2:5]]


def test_links_to_itself_end() -> None:
    assert [cid for cid, _ in walked({CIDS[0]: [CIDS[1], CIDS[0]], CIDS[1]: [CIDS[0]]}, CIDS[:1])] == CIDS[:2]


def test_open_links_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_order, "MAX_OPEN_LINKS", 20)
    wide = {cid: CIDS[number + 1 :] for number, cid in enumerate(CIDS)}
    with pytest.raises(MalformedContentError, match="over 20 links"):
        walked(wide, CIDS[:1])
    monkeypatch.setattr(archive_order, "MAX_OPEN_LINKS", 12)
    flat: Dag = {cid: [] for cid in CIDS}
    flat[CIDS[0]] = CIDS[1:]
    assert len(walked(flat, CIDS[:1])) == 12
