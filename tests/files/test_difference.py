from __future__ import annotations

import random

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.dag.dag_pb import PbLink, encode_node
from chiral.errors import NotFoundError
from chiral.interface.catalogue import FileRecord
from tests.files.rig import CHUNK_BYTES
from tests.files.shelved import Shelved

PARTS = [random.Random(number).randbytes(CHUNK_BYTES) for number in range(6)]


async def test_what_two_files_share() -> None:
    rig = Shelved()
    a = await rig.add(PARTS[0] + PARTS[1] + PARTS[2])
    b = await rig.add(PARTS[0] + PARTS[3] + PARTS[2] + PARTS[4][:10])
    found = await rig.library.differ.compare(a.root, b.root)
    assert (found.a.root, found.b.root, found.shared) == (a.root, b.root, 2)
    assert [(chunk.cid, chunk.size) for chunk in found.only_a] == [(CID.of(PARTS[1]), CHUNK_BYTES)]
    assert [chunk.size for chunk in found.only_b] == [CHUNK_BYTES, 10]
    assert found.new_bytes == CHUNK_BYTES + 10


async def test_the_same_file_differs_in_nothing() -> None:
    rig = Shelved()
    root = (await rig.add(PARTS[0] + PARTS[0])).root
    found = await rig.library.differ.compare(root, root)
    assert (found.shared, found.only_a, found.only_b, found.new_bytes) == (2, (), (), 0)


async def test_chunks_count_as_often_as_they_come_and_are_stored_once() -> None:
    rig = Shelved()
    a = await rig.add(PARTS[0])
    b = await rig.add(PARTS[0] * 2 + PARTS[1] * 3)
    found = await rig.library.differ.compare(a.root, b.root)
    assert (found.shared, len(found.only_a), len(found.only_b)) == (1, 0, 4)
    assert found.new_bytes == 2 * CHUNK_BYTES


async def test_a_chunk_that_is_not_here_has_no_size() -> None:
    rig = Shelved()
    a, b = await rig.add(PARTS[0]), await rig.add(PARTS[1])
    await rig.blocks.delete_many([CID.of(PARTS[1])])
    found = await rig.library.differ.compare(a.root, b.root)
    assert ([chunk.size for chunk in found.only_b], found.new_bytes) == ([None], 0)


async def test_directories_are_compared_by_the_leaves_in_them() -> None:
    rig = Shelved()
    leaves = [Block.of(part) for part in PARTS]
    roots = [await _directory(rig, "one", leaves[:3]), await _directory(rig, "two", leaves[1:5])]
    found = await rig.library.differ.compare(roots[0], roots[1])
    assert (found.shared, len(found.only_a), len(found.only_b)) == (2, 1, 2)


async def test_both_must_be_here() -> None:
    rig = Shelved()
    root = (await rig.add(PARTS[0])).root
    with pytest.raises(NotFoundError):
        await rig.library.differ.compare(root, CID.of(b"missing"))
    folder = await _directory(rig, "folder", [])
    await rig.blocks.delete_many([folder])
    with pytest.raises(NotFoundError):
        await rig.library.differ.compare(root, folder)


async def _directory(rig: Shelved, name: str, leaves: list[Block]) -> CID:
    lower = encode_node([PbLink(block.cid, "", len(block.data)) for block in leaves], b"")
    upper = encode_node([PbLink(CID.of(lower, DAG_PB), name, len(lower))], b"")
    nodes = [Block(CID.of(data, DAG_PB), data) for data in (lower, upper)]
    await rig.blocks.put_many([*leaves, *nodes])
    root = nodes[1].cid
    await rig.catalogue.put(FileRecord(root, name, 0, len(leaves), 1, 1, dag_root=root, kind="directory"), None)
    return root
