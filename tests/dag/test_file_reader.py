"""Reading ranges of files out of their DAGs: the right bytes, only the blocks needed, and no lie about sizes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.dag.dag_node import MAX_DEPTH, Want
from chiral.dag.dag_profile import DagChild, DagProfile, file_node
from chiral.dag.directory import build_directory, symlink
from chiral.dag.file_reader import AHEAD_BLOCKS, read_file
from chiral.dag.unixfs import NodeType, UnixFsData, encode_unixfs
from chiral.errors import MalformedContentError
from tests.dag.blocks import Blocks, pattern

PROFILE = DagProfile(width=3)


@given(
    st.sampled_from([PROFILE, replace(PROFILE, layout="trickle"), replace(PROFILE, raw_leaves=False)]),
    st.integers(0, 200),
    st.integers(0, 220),
    st.one_of(st.none(), st.integers(0, 220)),
)
def test_a_range_is_what_a_slice_is(profile: DagProfile, size: int, start: int, stop: int | None) -> None:
    blocks, data = Blocks(), pattern(size)
    root = blocks.add_file(profile, data, 7)
    pieces, _ = blocks.walk(read_file(root.cid, start, stop))
    assert b"".join(pieces) == data[start:stop]


def test_only_the_blocks_of_the_range_are_asked_for() -> None:
    blocks = Blocks()
    root = blocks.add_file(PROFILE, pattern(27 * 100), 100)
    blocks.walk(read_file(root.cid, 1000, 1001))
    assert len(blocks.asked) == 4
    assert len(blocks) > 30


def test_what_comes_next_is_told_ahead() -> None:
    blocks = Blocks()
    root = blocks.add_file(DagProfile(width=300), pattern(300 * 10), 10)
    walk = read_file(root.cid)
    first = next(walk)
    assert first == Want(root.cid)
    second = walk.send(blocks[root.cid])
    assert isinstance(second, Want)
    assert len(second.ahead) == AHEAD_BLOCKS
    walk.send(blocks[second.cid])
    third = walk.send(b"")
    assert isinstance(third, Want)
    assert third.cid == second.ahead[0]


def _node(blocks: Blocks, data: UnixFsData, *children: DagChild) -> CID:
    block = PROFILE.node(encode_unixfs(data), [child.link() for child in children])
    blocks.keep([block])
    return block.cid


def test_data_inside_a_node_comes_before_its_children() -> None:
    blocks = Blocks()
    child = blocks.add_file(PROFILE, b"after")
    root = _node(blocks, UnixFsData(NodeType.FILE, b"before ", 12, (5,)), child)
    assert b"".join(blocks.walk(read_file(root))[0]) == b"before after"
    assert b"".join(blocks.walk(read_file(root, 3, 9))[0]) == b"ore af"


def test_sizes_that_lie() -> None:
    blocks = Blocks()
    child = blocks.add_file(PROFILE, b"12345")
    for lie in (
        UnixFsData(NodeType.FILE, file_size=6, block_sizes=(6,)),
        UnixFsData(NodeType.FILE, file_size=4, block_sizes=(4,)),
        UnixFsData(NodeType.FILE, file_size=9, block_sizes=(5,)),
        UnixFsData(NodeType.FILE, file_size=5),
        UnixFsData(NodeType.FILE, file_size=5, block_sizes=(2, 3)),
        UnixFsData(NodeType.FILE, file_size=5, block_sizes=((1 << 64) - 1,)),
    ):
        with pytest.raises(MalformedContentError):
            blocks.walk(read_file(_node(blocks, lie, child)))


def test_a_file_that_is_too_deep() -> None:
    blocks = Blocks()
    child = blocks.add_file(PROFILE, b"deep down")
    for _ in range(10_000):
        block, child = file_node(PROFILE, [child])
        blocks.keep([block])
    with pytest.raises(MalformedContentError, match="deeper"):
        blocks.walk(read_file(child.cid))
    assert len(blocks.asked) == MAX_DEPTH + 2


def test_empty_children_without_number_are_not_asked_for() -> None:
    blocks = Blocks()
    empty = blocks.add_file(PROFILE, b"")
    for _ in range(40):
        block, empty = file_node(PROFILE, [empty] * 1000)
        blocks.keep([block])
    assert blocks.walk(read_file(empty.cid))[0] == []
    assert len(blocks.asked) == 1


def test_what_is_no_file() -> None:
    blocks = Blocks()
    made, directory = build_directory(PROFILE, [])
    link, target = symlink(PROFILE, b"elsewhere")
    blocks.keep([*made, link])
    cbor = Block.of(b"\xa0", 0x71)
    blocks.keep([cbor])
    for cid in (directory.cid, target.cid, cbor.cid):
        with pytest.raises(MalformedContentError):
            blocks.walk(read_file(cid))


def test_a_node_that_names_itself_by_forged_bytes_is_never_followed_for_ever() -> None:
    """No honest block can; a store that gives wrong bytes meets the bound of depth."""
    blocks = Blocks()
    child = blocks.add_file(PROFILE, b"x")
    block, _ = file_node(PROFILE, [DagChild(child.cid, 1, 1)])
    blocks[child.cid] = bytes(block.data)
    forged = CID(1, 0x70, child.cid.multihash)
    inner, _ = file_node(PROFILE, [DagChild(forged, 1, 1)])
    blocks[forged] = bytes(inner.data)
    with pytest.raises(MalformedContentError, match="deeper"):
        blocks.walk(read_file(forged))
