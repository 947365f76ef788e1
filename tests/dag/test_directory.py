"""Directories: Kubo's CIDs, shards, finding and listing, and everything that a directory may lie about."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID
from chiral.dag.dag_node import DagNode, fetch_node
from chiral.dag.dag_pb import PbLink
from chiral.dag.dag_profile import DagChild, DagProfile
from chiral.dag.directory import DirectoryEntry, Metadata, build_directory, name_hash, shard_index, symlink
from chiral.dag.directory_reader import NamedLink, find, list_entries, resolve
from chiral.dag.unixfs import MURMUR3_X64_64, ModifiedTime, NodeType, UnixFsData, encode_unixfs
from chiral.errors import MalformedContentError, NotFoundError, UsageError
from tests.dag.blocks import Blocks, pattern

KUBO = json.loads((Path(__file__).parents[1] / "vectors" / "kubo-unixfs.json").read_text())
VARIANTS = {
    "default": DagProfile(cid_version=0, raw_leaves=False),
    "cidv1": DagProfile(),
    "cidv1_noraw": DagProfile(raw_leaves=False),
}
SHARDED = DagProfile(shard_bytes=0, fanout=8)


def _directory(blocks: Blocks, profile: DagProfile, entries: dict[str, DagChild]) -> DagChild:
    made, child = build_directory(profile, [DirectoryEntry(name, of) for name, of in entries.items()])
    blocks.keep(made)
    return child


def _tree(blocks: Blocks, profile: DagProfile) -> dict[str, DagChild]:
    made = {
        "tree/a.txt": blocks.add_file(profile, b"hello\n"),
        "tree/b.bin": blocks.add_file(profile, pattern(262_145)),
    }
    made["tree/sub/c.txt"] = blocks.add_file(profile, b"chiral\n")
    made["tree/sub/empty"] = blocks.add_file(profile, b"")
    made["tree/sub/emptydir"] = _directory(blocks, profile, {})
    made["tree/sub"] = _directory(
        blocks, profile, {name: made[f"tree/sub/{name}"] for name in ("c.txt", "empty", "emptydir")}
    )
    made["tree"] = _directory(blocks, profile, {name: made[f"tree/{name}"] for name in ("sub", "b.bin", "a.txt")})
    made["wrap -w"] = _directory(blocks, profile, {"tree": made["tree"]})
    return made


@pytest.mark.parametrize("variant", VARIANTS)
def test_kubos_directory_cids(variant: str) -> None:
    blocks = Blocks()
    tree = _tree(blocks, VARIANTS[variant])
    assert {path: str(child.cid) for path, child in tree.items()} == KUBO["tree"]["cids"][variant]
    if variant == "cidv1":
        assert blocks[tree["tree"].cid].hex() == KUBO["tree"]["cidv1_root_block_hex"]


def test_paths_are_walked() -> None:
    blocks = Blocks()
    tree = _tree(blocks, DagProfile())
    for path, child in tree.items():
        if path != "wrap -w":
            _, node = blocks.walk(resolve(tree["wrap -w"].cid, path.split("/")))
            assert node.cid == child.cid
    _, same = blocks.walk(resolve(tree["tree"].cid, ["", ".", ""]))
    assert same.cid == tree["tree"].cid


@pytest.mark.parametrize("path", ["tree/none", "tree/a.txt/below", "none", "tree/sub/..", "tree/sub/C.txt"])
def test_a_path_that_leads_nowhere(path: str) -> None:
    blocks = Blocks()
    tree = _tree(blocks, DagProfile())
    with pytest.raises(NotFoundError):
        blocks.walk(resolve(tree["wrap -w"].cid, path.split("/")))


def _load(blocks: Blocks, cid: CID) -> DagNode:
    return blocks.walk(fetch_node(cid))[1]


@pytest.mark.parametrize("fanout", [8, 16, 256, 1024])
def test_a_sharded_directory_is_listed_and_searched(fanout: int) -> None:
    blocks = Blocks()
    profile = replace(SHARDED, fanout=fanout)
    names = [f"name {number} é" for number in range(500)]
    child = blocks.add_file(profile, b"x")
    root = _load(blocks, _directory(blocks, profile, dict.fromkeys(names, child)).cid)
    assert root.type is NodeType.HAMT_SHARD
    entries, _ = blocks.walk(list_entries(root))
    assert sorted(entry.name for entry in entries) == sorted(names)
    for name in names[:50]:
        assert blocks.walk(find(root, name))[1] == NamedLink(name, child.cid, child.tsize)
    for name in ("", "name", "name 500 é"):
        assert blocks.walk(find(root, name))[1] is None


@given(st.sets(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=6)))
def test_any_names_are_found_again(names: set[str]) -> None:
    names -= {".", ".."}
    for profile in (DagProfile(), SHARDED):
        blocks = Blocks()
        children = {name: DagChild(CID.of(name.encode()), 1, 1) for name in names}
        root = _load(blocks, _directory(blocks, profile, children).cid)
        entries, _ = blocks.walk(list_entries(root))
        assert {entry.name: entry.cid for entry in entries} == {name: of.cid for name, of in children.items()}
        for name in names:
            found = blocks.walk(find(root, name))[1]
            assert found is not None
            assert found.cid == children[name].cid


def test_a_directory_is_sharded_when_it_is_over_the_limit_and_not_at_it() -> None:
    child = DagChild(CID.of(b"x"), 1, 1)
    entry_bytes = len("aaaa") + len(child.cid.buffer)
    entries = [DirectoryEntry(f"{number:04}", child) for number in range(10)]
    for limit, kind in ((10 * entry_bytes, NodeType.DIRECTORY), (10 * entry_bytes - 1, NodeType.HAMT_SHARD)):
        blocks = Blocks()
        made, root = build_directory(DagProfile(shard_bytes=limit), entries)
        blocks.keep(made)
        assert _load(blocks, root.cid).type is kind
    plain = build_directory(DagProfile(), entries)[0][0]
    for limit, kind in ((len(plain), NodeType.DIRECTORY), (len(plain) - 1, NodeType.HAMT_SHARD)):
        blocks = Blocks()
        made, root = build_directory(DagProfile(shard_bytes=limit, shard_by="block"), entries)
        blocks.keep(made)
        assert _load(blocks, root.cid).type is kind


def test_the_hash_of_names_is_murmur3() -> None:
    # Reference values of MurmurHash3_x64_128 with seed 0, first half.
    assert name_hash("") == 0
    assert name_hash("hello") == 0xCBD8A7B341BD9B02
    assert name_hash("The quick brown fox jumps over the lazy dog") == 0xE34BBC7BBC071B6C
    assert [shard_index(0xCBD8A7B341BD9B02, depth, 256) for depth in range(3)] == [0xCB, 0xD8, 0xA7]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "x" * 256])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(UsageError):
        build_directory(DagProfile(), [DirectoryEntry(name, DagChild(CID.of(b""), 0, 0))])


def test_a_name_that_is_there_twice() -> None:
    entry = DirectoryEntry("a", DagChild(CID.of(b""), 0, 0))
    with pytest.raises(UsageError, match="twice"):
        build_directory(DagProfile(), [entry, entry])


def test_mode_and_time_are_told() -> None:
    blocks = Blocks()
    metadata = Metadata(0o755, ModifiedTime(1_700_000_000, 5))
    for profile in (DagProfile(), SHARDED):
        made, child = build_directory(profile, [DirectoryEntry("a", DagChild(CID.of(b"a"), 1, 1))], metadata)
        blocks.keep(made)
        data = _load(blocks, child.cid).unixfs
        assert data is not None
        assert (data.mode, data.mtime) == (metadata.mode, metadata.mtime)


def test_a_symbolic_link() -> None:
    blocks = Blocks()
    block, child = symlink(DagProfile(), b"../elsewhere")
    blocks.keep([block])
    node = _load(blocks, child.cid)
    assert node.type is NodeType.SYMLINK
    assert bytes(node.content) == b"../elsewhere"
    assert not node.is_file
    assert not node.is_directory


def _shard(links: list[PbLink], *, bitfield: int, fanout: int | None = 16, hash_type: int = MURMUR3_X64_64) -> DagNode:
    data = encode_unixfs(
        UnixFsData(NodeType.HAMT_SHARD, bitfield.to_bytes(2, "big"), hash_type=hash_type, fanout=fanout)
    )
    block = DagProfile().node(data, links)
    blocks = Blocks()
    blocks.keep([block])
    return _load(blocks, block.cid)


@pytest.mark.parametrize(
    "shard",
    [
        _shard([PbLink(CID.of(b""), "0a", 1)], bitfield=2),
        _shard([PbLink(CID.of(b""), "0a", 1)], bitfield=3),
        _shard([PbLink(CID.of(b""), "a", 1)], bitfield=1 << 10),  # lower case
        _shard([PbLink(CID.of(b""), "", 1)], bitfield=1),
        _shard([PbLink(CID.of(b""), "Za", 1)], bitfield=1),
        _shard([], bitfield=0, fanout=0),
        _shard([], bitfield=0, fanout=12),
        _shard([], bitfield=0, fanout=1 << 20),
        _shard([], bitfield=0, fanout=None),
        _shard([], bitfield=0, hash_type=0x12),
    ],
)
def test_shards_that_do_not_hold_together(shard: DagNode) -> None:
    with pytest.raises(MalformedContentError):
        Blocks().walk(list_entries(shard))
    with pytest.raises(MalformedContentError):
        Blocks().walk(find(shard, "a"))


def test_names_that_come_twice_in_a_listing() -> None:
    block = DagProfile().node(b"\x08\x01", [PbLink(CID.of(b"1"), "a", 1), PbLink(CID.of(b"2"), "a", 1)])
    blocks = Blocks()
    blocks.keep([block])
    with pytest.raises(MalformedContentError, match="twice"):
        blocks.walk(list_entries(_load(blocks, block.cid)))


def test_shards_without_end() -> None:
    blocks = Blocks()
    below = _shard([PbLink(CID.of(b""), "0a", 1)], bitfield=1, fanout=8)
    for _ in range(40):
        blocks[below.cid] = bytes(below.raw)
        below = _shard([PbLink(below.cid, "0", 1)], bitfield=1, fanout=8)
    with pytest.raises(MalformedContentError, match="deeper"):
        blocks.walk(list_entries(below))
    assert blocks.walk(find(below, "never"))[1] is None


def test_what_is_no_directory() -> None:
    blocks = Blocks()
    file = _load(blocks, blocks.add_file(DagProfile(), b"x").cid)
    with pytest.raises(MalformedContentError):
        blocks.walk(list_entries(file))
    with pytest.raises(MalformedContentError):
        blocks.walk(find(file, "a"))
