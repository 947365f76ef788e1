"""What roots reach is marked, each node read once; what cannot be told from garbage ends a collection."""

from __future__ import annotations

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.errors import IntegrityError, MalformedContentError
from chiral.pinning.marks import Marking
from tests.pinning.dags import leaf, node, tree


def drive(marking: Marking, *blocks: Block, at_once: int = 2) -> list[CID]:
    """Read what `marking` asks for out of `blocks`; what it asked for."""
    held = {block.cid.multihash: bytes(block.data) for block in blocks}
    asked: list[CID] = []
    while not marking.done:
        taken = marking.take(at_once)
        assert 0 < len(taken) <= at_once
        for cid, whole in taken:
            asked.append(cid)
            marking.read(cid, held.get(cid.multihash), whole=whole)
    return asked


def marked(marking: Marking, *blocks: Block) -> list[bool]:
    return [block.cid.multihash in marking.marks for block in blocks]


def test_all_below_a_root_is_marked_and_nothing_else() -> None:
    dag, other = tree("kept"), tree("other")
    marking = Marking()
    marking.root(dag[0].cid, below=True)
    asked = drive(marking, *dag, *other)
    assert all(marked(marking, *dag))
    assert not any(marked(marking, *other))
    assert all(cid.codec == DAG_PB for cid in asked), "leaves need not be read"
    assert marking.nodes == 4


def test_alone_is_alone() -> None:
    dag = tree("kept")
    marking = Marking()
    marking.root(dag[0].cid, below=False)
    assert marking.done
    assert marked(marking, *dag) == [True] + [False] * (len(dag) - 1)


def test_alone_and_then_with_all_below() -> None:
    dag = tree("kept")
    marking = Marking()
    marking.root(dag[0].cid, below=False)
    marking.root(dag[0].cid, below=True)
    drive(marking, *dag)
    assert all(marked(marking, *dag))


def test_a_dag_that_unfolds_to_an_enormous_tree_is_read_as_what_it_is() -> None:
    dag = [leaf("bottom")]
    for _ in range(60):
        dag.append(node(*[dag[-1]] * 10))
    marking = Marking()
    marking.root(dag[-1].cid, below=True)
    assert len(drive(marking, *dag)) == 60


def test_a_chain_ten_thousand_deep() -> None:
    chain = [node(leaf("end"))]
    for _ in range(10_000):
        chain.append(node(chain[-1]))
    marking = Marking()
    marking.root(chain[-1].cid, below=True)
    assert len(drive(marking, *chain)) == 10_001


def test_a_block_linked_to_as_raw_and_as_a_node_is_followed() -> None:
    inner = node(leaf("x"))
    as_raw = Block(CID(1, 0x55, inner.cid.multihash), inner.data)
    outer = node(as_raw, inner)
    marking = Marking()
    marking.root(outer.cid, below=True)
    drive(marking, outer, inner)
    assert marked(marking, leaf("x")) == [True]


def test_what_is_absent_is_passed_over_unless_it_must_be_here() -> None:
    dag = tree("kept")
    marking = Marking()
    marking.root(dag[0].cid, below=True)
    drive(marking, dag[0])
    assert (marking.nodes, marking.absent) == (1, 3)
    pinned = Marking()
    pinned.root(dag[0].cid, below=True, whole=True)
    with pytest.raises(IntegrityError, match="not here"):
        drive(pinned, dag[0])


def test_a_damaged_node_ends_it() -> None:
    dag = tree("kept")
    marking = Marking()
    marking.root(dag[0].cid, below=True)
    with pytest.raises(IntegrityError, match="damaged"):
        drive(marking, Block(dag[0].cid, b"rotten"))


def test_a_node_that_is_none_ends_it() -> None:
    bad = Block.of(b"\x99 no node", DAG_PB)
    marking = Marking()
    marking.root(bad.cid, below=True)
    with pytest.raises(MalformedContentError):
        drive(marking, bad)
