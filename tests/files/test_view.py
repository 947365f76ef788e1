"""Views of files, and the check of their blocks."""

from __future__ import annotations

import random

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.dag.dag_pb import PbLink, encode_node
from chiral.errors import IntegrityError, NotFoundError
from chiral.files import integrity
from chiral.files.integrity import MAX_NAMED, check_blocks
from tests.fakes.memory_store import MemoryBlockstore
from tests.files.rig import CHUNK_BYTES
from tests.files.shelved import Shelved

DATA = random.Random(3).randbytes(20 * CHUNK_BYTES + 100)


def node(*below: Block) -> Block:
    data = encode_node([PbLink(block.cid, "", len(block.data)) for block in below], b"")
    return Block(CID.of(data, DAG_PB), data)


async def test_a_whole_file() -> None:
    rig = Shelved()
    added = await rig.add(DATA, "data.bin")
    view = await rig.library.viewer.view(added.root)
    assert (view.state, view.record.name, view.record.size) == ("whole", "data.bin", len(DATA))
    assert (view.chunk_bytes, view.last_chunk_bytes) == (CHUNK_BYTES, 100)
    assert list(view.first_chunks) == (await rig.chunks(added.root))[:8]
    assert view.check.size_bytes >= len(DATA)
    assert view.check.blocks >= 21


async def test_chunk_corruption_detected() -> None:
    """Seed 003: TestChunkCorruptionDetected."""
    rig = Shelved()
    added = await rig.add(DATA)
    chunk = (await rig.chunks(added.root))[7]
    rig.damage(chunk)
    view = await rig.library.viewer.view(added.root)
    assert (view.state, view.check.damaged, view.check.damaged_count) == ("damaged", [chunk], 1)
    with pytest.raises(IntegrityError):
        await rig.read(added.root)


async def test_missing_blocks_are_counted() -> None:
    rig = Shelved()
    added = await rig.add(DATA)
    chunks = await rig.chunks(added.root)
    await rig.blocks.delete_many([chunks[0], chunks[-1]])
    view = await rig.library.viewer.view(added.root)
    assert (view.state, view.check.missing) == ("missing", [chunks[0], chunks[-1]])
    assert (view.chunk_bytes, view.last_chunk_bytes) == (None, None)
    rig.damage(chunks[3])
    assert (await rig.library.viewer.view(added.root)).state == "damaged"


async def test_a_damaged_manifest_is_told_of() -> None:
    rig = Shelved()
    added = await rig.add(DATA)
    record, _, chunks = rig.catalogue._files[added.root.multihash]
    rig.catalogue._files[added.root.multihash] = (record, b"{}", chunks)
    view = await rig.library.viewer.view(added.root)
    assert (view.state, view.manifest_sound) == ("damaged", False)


async def test_an_empty_file_is_whole() -> None:
    rig = Shelved()
    view = await rig.library.viewer.view((await rig.add(b"")).root)
    assert (view.state, view.chunk_bytes, view.last_chunk_bytes, view.first_chunks) == ("whole", None, None, ())


async def test_what_is_not_here_cannot_be_viewed() -> None:
    with pytest.raises(NotFoundError):
        await Shelved().library.viewer.view(CID.of(b"missing"))


async def test_a_dag_is_walked_and_each_block_looked_at_once() -> None:
    blocks = MemoryBlockstore()
    leaves = [Block.of(b"%d" % number) for number in range(30)]
    lower = node(*leaves[:20])
    root = node(lower, *leaves[10:], lower)
    await blocks.put_many([*leaves, lower, root])
    check = await check_blocks(blocks, [root.cid, root.cid])
    assert (check.state, check.blocks) == ("whole", 32)
    await blocks.delete_many([lower.cid])
    check = await check_blocks(blocks, [root.cid])
    assert (check.state, check.blocks, check.missing) == ("missing", 22, [lower.cid])


async def test_of_many_faults_a_hundred_are_named() -> None:
    cids = [CID.of(b"%d" % number) for number in range(MAX_NAMED + 50)]
    check = await check_blocks(MemoryBlockstore(), cids)
    assert (check.missing_count, check.missing) == (len(cids), cids[:MAX_NAMED])


async def test_a_block_that_holds_itself_in_its_cid_is_there() -> None:
    inline = CID(1, 0x55, b"\x00\x03abc")
    check = await check_blocks(MemoryBlockstore(), [inline])
    assert (check.state, check.blocks, check.size_bytes) == ("whole", 1, 3)


async def test_bytes_that_are_no_node_are_whole_all_the_same() -> None:
    blocks = MemoryBlockstore()
    block = Block(CID.of(b"no node", DAG_PB), b"no node")
    await blocks.put_many([block])
    assert (await check_blocks(blocks, [block.cid])).state == "whole"


async def test_a_store_that_verifies_by_itself_tells_which(monkeypatch: pytest.MonkeyPatch) -> None:
    class Verifying(MemoryBlockstore):
        async def get(self, cid: CID) -> bytes | None:
            data = await super().get(cid)
            if data is not None and not cid.matches(data):
                raise IntegrityError("damaged")
            return data

        async def get_many(self, cids: object) -> list[bytes | None]:
            return [await self.get(cid) for cid in cids]  # type: ignore[attr-defined]

    monkeypatch.setattr(integrity, "_AT_ONCE", 3)
    blocks = Verifying()
    held = [Block.of(b"%d" % number) for number in range(7)]
    await blocks.put_many(held)
    blocks._blocks[held[4].cid.multihash] = (0x55, b"rotten")
    check = await check_blocks(blocks, [block.cid for block in held])
    assert (check.damaged, check.blocks) == ([held[4].cid], 7)
