"""Directories between whole nodes: added with Kubo's CIDs, fetched byte for byte, provided on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.dag.dag_pb import PbLink
from chiral.dag.dag_profile import DEFAULT_PROFILE
from chiral.dag.unixfs import NodeType, UnixFsData, encode_unixfs
from chiral.errors import ChiralError, ForbiddenError, MalformedContentError
from chiral.files.add_options import AddOptions, TreeOptions
from chiral.files.span import Span
from chiral.node.node import Node
from tests.dag.blocks import pattern
from tests.files.trees import Tree, read, write
from tests.scenarios.swarm import get, names, provided_by, random_file, running, sha256_of

KUBO = json.loads((Path(__file__).parents[1] / "vectors" / "kubo-unixfs.json").read_text())
CIDS = KUBO["tree"]["cids"]
KUBO_TREE: Tree = {
    "a.txt": b"hello\n",
    "b.bin": pattern(262_145),
    "sub": {"c.txt": b"chiral\n", "empty": b"", "emptydir": {}},
}
VARIANTS = {
    "default": AddOptions.named(profile="unixfs-v0-2015"),
    "cidv1": AddOptions.named(),
    "cidv1_noraw": AddOptions.named(raw_leaves=False),
}
MIB_BYTES = 1 << 20


async def add_tree(node: Node, folder: Path, options: TreeOptions | None = None) -> CID:
    return (await node.files.add_tree(folder, options=options or TreeOptions())).root


@pytest.mark.parametrize("variant", VARIANTS)
async def test_the_tree_of_the_vectors(tmp_path: Path, variant: str) -> None:
    folder = write(tmp_path / "tree", KUBO_TREE)
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        root = await add_tree(first, folder, TreeOptions(VARIANTS[variant]))
        assert str(root) == CIDS[variant]["tree"]
        assert await get(second, root, tmp_path / "copy") == 1
        record = await second.files.record(root)
        assert record is not None
        assert (record.kind, record.size) == ("directory", 262_145 + 13)
    assert read(tmp_path / "copy") == read(folder)


async def test_large_files_deep_directories_and_links(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "tree",
        {
            "a": {"b": {"c": {"d": {"deep": b"deep"}}}, "up": "b/c"},
            "many": {f"{number:04}": b"%d" % number for number in range(700)},
        },
    )
    random_file(folder / "large", 12 * MIB_BYTES)
    random_file(folder / "a" / "some", 3 * MIB_BYTES + 1, seed=2)
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        root = await add_tree(first, folder)
        await get(second, root, tmp_path / "copy")
        assert read(tmp_path / "copy") == read(folder)
        async with second.files.open(root, timeout_s=10.0, path=["large"], span=Span(MIB_BYTES, MIB_BYTES + 7)) as part:
            data = b"".join([piece async for piece in part])
    assert data == (folder / "large").read_bytes()[MIB_BYTES : MIB_BYTES + 7]


async def test_a_file_by_its_dag_root(tmp_path: Path) -> None:
    """Whoever fetched it by that provides it under the Chiral root, too."""
    original = random_file(tmp_path / "original", 5 * MIB_BYTES)
    async with running(tmp_path / "first") as first, running(tmp_path / "down", first) as second:
        async with running(tmp_path / "up", first) as source:
            added = await source.files.add_path(original)
            assert added.dag_root is not None
            await get(second, added.dag_root, tmp_path / "copy")
            await provided_by(first, added.root, second)
            await provided_by(first, added.dag_root, second)
        async with running(tmp_path / "third", first) as third:
            await get(third, added.root, tmp_path / "again")
    assert sha256_of(tmp_path / "copy") == sha256_of(tmp_path / "again") == sha256_of(original)


async def test_who_fetched_a_directory_provides_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "tree", KUBO_TREE)
    async with running(tmp_path / "first") as first, running(tmp_path / "down", first) as second:
        async with running(tmp_path / "up", first) as source:
            root = await add_tree(source, folder)
            await get(second, root, tmp_path / "copy")
            await provided_by(first, root, second)
        async with running(tmp_path / "third", first) as third:
            await get(third, root, tmp_path / "again")
    assert read(tmp_path / "again") == read(folder)


async def test_a_part_of_a_large_file_moves_few_blocks(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", 60 * MIB_BYTES)
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        added = await first.files.add_path(original)
        assert added.dag_root is not None
        for root in (added.dag_root, added.root):
            before = (await second.stats()).blocks
            start = 50 * MIB_BYTES + 1
            async with second.files.open(root, timeout_s=10.0, span=Span(start, start + 100_000)) as reader:
                data = b"".join([piece async for piece in reader])
            with original.open("rb") as file:
                file.seek(start)
                assert data == file.read(100_000)
            assert (await second.stats()).blocks - before <= 5


def forged_directory(link: PbLink) -> Block:
    return DEFAULT_PROFILE.node(encode_unixfs(UnixFsData(NodeType.DIRECTORY)), [link])


async def test_nothing_is_written_outside(tmp_path: Path) -> None:
    pwned = Block.of(b"pwned")
    target = str(tmp_path / "victim").encode()
    link = DEFAULT_PROFILE.node(encode_unixfs(UnixFsData(NodeType.SYMLINK, target)))
    forged = [
        forged_directory(PbLink(pwned.cid, name, 5))
        for name in ("../pwned", "/tmp/pwned", "..", ".", "", "a/../../pwned", "a\0b")
    ]
    out = tmp_path / "out"
    out.mkdir()
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        leading_out = forged_directory(PbLink(link.cid, "link", 5))
        await first.blockstore.put_many([pwned, link, leading_out, *forged])
        for block in forged:
            with pytest.raises(MalformedContentError):
                await get(second, block.cid, out / "got")
        with pytest.raises(ForbiddenError):
            await get(second, leading_out.cid, out / "got")
        assert names(out) == []
        assert not (tmp_path / "victim").exists()
        assert not (tmp_path / "pwned").exists()


async def test_a_peer_that_answers_for_a_node_with_its_parent(tmp_path: Path) -> None:
    """A cycle by forged bytes: they are not what the CID names, and nothing goes round."""
    folder = write(tmp_path / "tree", {"d": {"f": b"f"}})
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        root = await add_tree(first, folder)
        inner = await add_tree(first, folder / "d")
        data = await first.blockstore.get(root)
        assert data is not None
        await first.blockstore.delete_many([inner])
        await first.blockstore.put_many([Block(CID(1, DAG_PB, inner.multihash), data)])
        with trio.fail_after(30), pytest.raises(ChiralError) as raised:
            await get(second, root, tmp_path / "copy", timeout_s=5.0)
        assert raised.value.code == "integrity"
    assert "copy" not in names(tmp_path)
