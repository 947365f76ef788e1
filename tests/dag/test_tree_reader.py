"""Walking whole directories: everything in order, names checked, what is asked for ahead, and hostile directories."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_CBOR
from chiral.dag.dag_node import MAX_DEPTH, DagNode, Want, fetch_node
from chiral.dag.dag_pb import PbLink
from chiral.dag.dag_profile import DagChild, DagProfile
from chiral.dag.directory import DirectoryEntry, build_directory, symlink
from chiral.dag.tree_reader import TreeEntry, read_tree
from chiral.dag.unixfs import NodeType, UnixFsData, encode_unixfs
from chiral.errors import MalformedContentError
from tests.dag.blocks import Blocks, pattern

PROFILE = DagProfile(width=4)
CHUNK_BYTES = 1000


def directory(blocks: Blocks, entries: dict[str, DagChild], profile: DagProfile = PROFILE) -> DagChild:
    made, child = build_directory(profile, [DirectoryEntry(name, of) for name, of in entries.items()])
    blocks.keep(made)
    return child


def load(blocks: Blocks, cid: CID) -> DagNode:
    return blocks.walk(fetch_node(cid))[1]


def contents(blocks: Blocks, root: CID) -> dict[str, bytes | None]:
    """By path what is there; None for a directory, the target for a link."""
    found: dict[str, bytes | None] = {}
    for said in blocks.walk(read_tree(load(blocks, root)))[0]:
        if isinstance(said, TreeEntry):
            path = "/".join(said.path)
            assert path not in found
            found[path] = None if said.node.is_directory else b""
            if said.node.type is NodeType.SYMLINK:
                found[path] = bytes(said.node.content)
        else:
            before = found[path]
            assert before is not None
            found[path] = before + said
    return found


@pytest.mark.parametrize("shard_bytes", [0, 256 << 10])
def test_everything_comes_with_its_path(shard_bytes: int) -> None:
    blocks = Blocks()
    profile = replace(PROFILE, shard_bytes=shard_bytes, fanout=8)
    link, link_child = symlink(profile, b"../a")
    blocks.keep([link])
    sizes = {"empty": 0, "one": 1, "some": 2500, "many": 30_000}
    files = {name: blocks.add_file(PROFILE, pattern(size), CHUNK_BYTES) for name, size in sizes.items()}
    inner = directory(blocks, {**files, "link": link_child, "nothing": directory(blocks, {}, profile)}, profile)
    root = directory(blocks, {"a": files["one"], "inner": inner}, profile)
    expected: dict[str, bytes | None] = {f"inner/{name}": pattern(size) for name, size in sizes.items()}
    assert contents(blocks, root.cid) == {
        **expected, "": None, "a": pattern(1), "inner": None, "inner/nothing": None, "inner/link": b"../a"
    }  # fmt: skip


def test_a_file_alone_is_a_tree() -> None:
    blocks = Blocks()
    file = blocks.add_file(PROFILE, pattern(12_345), CHUNK_BYTES)
    assert contents(blocks, file.cid) == {"": pattern(12_345)}


def test_each_block_is_asked_for_once() -> None:
    blocks = Blocks()
    data = random.Random(2).randbytes(25_000)
    files = {f"f{at}": blocks.add_file(PROFILE, data[at : at + 5000], CHUNK_BYTES) for at in range(0, 25_000, 5000)}
    root = directory(blocks, files)
    node = load(blocks, root.cid)
    blocks.asked.clear()
    blocks.walk(read_tree(node))
    assert len(blocks.asked) == len(set(blocks.asked))


def test_what_follows_is_named_ahead() -> None:
    """Beyond the end of a file the walk names the files after it."""
    blocks = Blocks()
    files = {f"f{number}": blocks.add_file(PROFILE, bytes([number]), 1000) for number in range(5)}
    node = load(blocks, directory(blocks, files).cid)
    walk = read_tree(node)
    wants = []
    said = next(walk, None)
    while said is not None:
        if isinstance(said, Want):
            wants.append(said)
            try:
                said = walk.send(blocks[said.cid])
            except StopIteration:
                break
        else:
            said = next(walk, None)
    cids = [child.cid for child in files.values()]
    assert [want.cid for want in wants] == cids
    assert [want.ahead for want in wants] == [tuple(cids[number + 1 :]) for number in range(5)]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/x", "a\0b", "x" * 256])
def test_names_that_no_file_may_have(name: str) -> None:
    blocks = Blocks()
    file = blocks.add_file(PROFILE, b"x")
    block = PROFILE.node(encode_unixfs(UnixFsData(NodeType.DIRECTORY)), [PbLink(file.cid, name, 1)])
    blocks.keep([block])
    with pytest.raises(MalformedContentError, match="is no name"):
        contents(blocks, block.cid)


def test_directories_without_end() -> None:
    blocks = Blocks()
    below = directory(blocks, {})
    for _ in range(MAX_DEPTH + 2):
        below = directory(blocks, {"d": below})
    with pytest.raises(MalformedContentError, match="deeper"):
        contents(blocks, below.cid)


def test_what_has_no_place_in_a_directory() -> None:
    blocks = Blocks()
    odd = PROFILE.node(encode_unixfs(UnixFsData(NodeType.METADATA, b"x")))
    other = Block.of(b"\xa0", DAG_CBOR)
    for block in (odd, other):
        blocks.keep([block])
        root = directory(blocks, {"a": DagChild(block.cid, 1, 1)})
        with pytest.raises(MalformedContentError):
            contents(blocks, root.cid)
