"""Mode and time in a file's root."""

from __future__ import annotations

import pytest

from chiral.block.cid import DAG_PB, RAW
from chiral.dag.dag_node import fetch_node
from chiral.dag.dag_pb import decode_node
from chiral.dag.dag_profile import DagProfile
from chiral.dag.described import described
from chiral.dag.directory import Metadata
from chiral.dag.file_reader import read_file
from chiral.dag.unixfs import ModifiedTime
from tests.dag.blocks import Blocks, pattern

METADATA = Metadata(0o640, ModifiedTime(1_700_000_000, 123))


@pytest.mark.parametrize("size", [0, 1, 1000, 1001, 50_000])
@pytest.mark.parametrize("profile", [DagProfile(width=3), DagProfile(width=3, raw_leaves=False)])
def test_the_file_stays_as_it_is(size: int, profile: DagProfile) -> None:
    blocks = Blocks()
    data = pattern(size)
    plain = blocks.add_file(profile, data, 1000)
    block, root = described(profile, plain, blocks[plain.cid], METADATA)
    blocks.keep([block])
    assert root.cid.codec == DAG_PB
    assert root.size == size
    _, node = blocks.walk(fetch_node(root.cid))
    assert node.unixfs is not None
    assert (node.unixfs.mode, node.unixfs.mtime) == (METADATA.mode, METADATA.mtime)
    pieces, _ = blocks.walk(read_file(root.cid))
    assert b"".join(pieces) == data


def test_a_single_raw_leaf_is_linked_to_and_not_repeated() -> None:
    blocks = Blocks()
    profile = DagProfile()
    plain = blocks.add_file(profile, b"content")
    assert plain.cid.codec == RAW
    block, root = described(profile, plain, blocks[plain.cid], METADATA)
    assert [link.cid for link in decode_node(bytes(block.data)).links] == [plain.cid]
    assert root.tsize == len(block) + len(b"content")
