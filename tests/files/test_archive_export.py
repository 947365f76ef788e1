"""Writing archives: the bytes that Kubo writes, what is missing, what is fetched, what is forged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB, IDENTITY
from chiral.block.varint import encode_varint
from chiral.car.reader import CarReader
from chiral.dag.dag_pb import PbLink, encode_node
from chiral.dag.file_info import FileInfo
from chiral.errors import (
    FileAccessError,
    IntegrityError,
    MalformedContentError,
    NoProvidersError,
    NotFoundError,
    StoreError,
)
from chiral.files.archive_export import Piece
from chiral.files.archive_results import ExportOptions, ExportReport
from tests.fakes.archives import ArchiveRig, chain, doubling, file_blocks, node_over, varied
from tests.fakes.exchange import ScriptedPeer, lacking, lying
from tests.fakes.memory_store import MemoryBlockstore
from tests.files.rig import leftovers

VECTORS = Path(__file__).parents[1] / "vectors" / "car"
OFFLINE = ExportOptions(offline=True)
PARTIAL = ExportOptions(partial=True)
ASKING = ExportOptions(timeout_s=5.0)


async def exported(rig: ArchiveRig, cid: CID, options: ExportOptions = OFFLINE) -> tuple[bytes, ExportReport]:
    out = bytearray()

    async def write(pieces: Sequence[Piece]) -> None:
        await trio.lowlevel.checkpoint()
        for piece in pieces:
            out.extend(piece)

    report = await rig.archives.export(cid, write, options)
    assert report.size == len(out)
    return bytes(out), report


def read(archive: bytes) -> tuple[CarReader, list[Block]]:
    reader = CarReader()
    blocks = list(reader.feed(archive))
    reader.finish()
    return reader, blocks


@pytest.mark.parametrize("archive", [path.read_bytes() for path in sorted(VECTORS.iterdir())], ids=["file", "tree"])
async def test_an_archive_of_kubo_to_the_byte(archive: bytes) -> None:
    reader, blocks = read(archive)
    rig = await ArchiveRig().hold(blocks)
    [root] = reader.roots or ()
    assert await exported(rig, root) == (archive, ExportReport(root, 1, len(blocks), len(archive)))


async def test_each_block_once_a_node_before_what_it_links_to() -> None:
    leaves = [Block.of(bytes([number]) * 10) for number in range(3)]
    left, right = node_over(leaves[0], leaves[1]), node_over(leaves[1], leaves[2], leaves[0])
    root = node_over(right, left, leaves[2], left)
    rig = await ArchiveRig().hold([*leaves, left, right, root])
    archive, report = await exported(rig, root.cid)
    assert read(archive)[1] == [root, right, leaves[1], leaves[2], leaves[0], left]
    assert (report.blocks, report.missing.count) == (6, 0)


async def test_the_same_bytes_under_two_codecs_are_two_blocks() -> None:
    leaf = Block.of(b"leaf")
    node = node_over(leaf)
    raw = Block(CID.of(node.data), node.data)
    root = node_over(raw, node)
    rig = await ArchiveRig().hold([leaf, node, root])
    assert [block.cid for block in read((await exported(rig, root.cid))[0])[1]] == [
        root.cid, raw.cid, node.cid, leaf.cid,
    ]  # fmt: skip


async def test_a_large_file_in_order() -> None:
    root, blocks = file_blocks(bytes(range(256)) * 4000, 1000)
    rig = await ArchiveRig().hold(blocks)
    archive, report = await exported(rig, root)
    assert report.blocks == len(blocks) == len({block.cid for block in read(archive)[1]})
    other = ArchiveRig()
    await other.archives.import_stream(parts(archive))
    assert (await exported(other, root))[0] == archive


async def parts(archive: bytes):  # type: ignore[no-untyped-def]
    for at in range(0, len(archive), 5000):
        await trio.lowlevel.checkpoint()
        yield archive[at : at + 5000]


async def test_version_2_holds_the_same_archive() -> None:
    root, blocks = file_blocks(bytes(5000), 100)
    rig = await ArchiveRig().hold(blocks)
    first, _ = await exported(rig, root)
    second, report = await exported(rig, root, ExportOptions(2, offline=True))
    reader, found = read(second)
    assert (reader.version, reader.roots, found) == (2, (root,), read(first)[1])
    assert second.endswith(first)
    assert report.version == 2


async def test_what_changes_between_the_two_passes_of_version_2_is_noticed() -> None:
    root, blocks = file_blocks(varied(10_000), 100)
    rig = await ArchiveRig().hold(blocks)
    begun = False

    async def write(pieces: Sequence[Piece]) -> None:
        nonlocal begun
        if not begun:
            begun = True
            await rig.blocks.put_many([Block.of(b"new")])

    real = rig.blocks.get_many
    asked = 0

    async def losing(cids: Sequence[CID]) -> list[bytes | None]:
        nonlocal asked
        asked += 1
        found = await real(cids)
        return [None if asked > 2 and index == 1 else data for index, data in enumerate(found)]

    rig.blocks.get_many = losing  # type: ignore[method-assign]
    with pytest.raises(IntegrityError, match="changed"):
        await rig.archives.export(root, write, ExportOptions(2, partial=True))


async def test_what_is_not_here_fails_offline_and_is_counted() -> None:
    root, blocks = file_blocks(varied(10_000), 100)
    leaves = [block for block in blocks if block.cid.codec != DAG_PB]
    rig = await ArchiveRig().hold(block for block in blocks if block not in leaves[3:18])
    with pytest.raises(NotFoundError, match=f"15 blocks below .* {leaves[3].cid}.* and 5 more") as caught:
        await exported(rig, root)
    assert caught.value.exit_code == 3
    archive, report = await exported(rig, root, PARTIAL)
    assert (report.missing.count, report.missing.first) == (15, tuple(leaf.cid for leaf in leaves[3:13]))
    assert len(read(archive)[1]) == len(blocks) - 15
    assert rig.scripted.routing.lookups == []


async def test_a_root_that_is_not_here() -> None:
    rig, cid = ArchiveRig(), CID.of(b"nowhere", DAG_PB)
    wrote: list[object] = []

    async def write(pieces: Sequence[Piece]) -> None:
        wrote.append(pieces)

    with pytest.raises(NotFoundError):
        await rig.archives.export(cid, write, OFFLINE)
    assert wrote == []
    archive, report = await exported(rig, cid, PARTIAL)
    assert (read(archive)[1], report.missing.count) == ([], 1)
    with pytest.raises(NoProvidersError):
        await exported(rig, cid, ASKING)


async def test_what_is_missing_comes_from_peers(autojump_clock: trio.testing.MockClock) -> None:
    root, blocks = file_blocks(varied(25_000), 100)
    peer = ScriptedPeer(1).hold(blocks)
    rig = ArchiveRig(peer)
    rig.scripted.routing.knows(root, peer)
    await rig.hold(block for number, block in enumerate(blocks) if number % 3)
    archive, report = await exported(rig, root, ASKING)
    assert {block.cid for block in read(archive)[1]} == {block.cid for block in blocks}
    assert report.missing.count == 0
    assert all(await rig.blocks.has_many([block.cid for block in blocks]))
    whole = await ArchiveRig().hold(blocks)
    assert (await exported(whole, root))[0] == archive


async def test_many_blocks_are_fetched_at_once(autojump_clock: trio.testing.MockClock) -> None:
    root, blocks = file_blocks(varied(30_000), 100)
    peer = ScriptedPeer(1).hold(blocks)
    rig = ArchiveRig(peer)
    rig.scripted.routing.knows(root, peer)
    await exported(rig, root, ASKING)
    assert len(peer.asked) == len(blocks)
    assert peer.most_in_flight > 16
    assert len(rig.scripted.routing.lookups) < 10


async def test_a_peer_that_lies_or_lacks_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    root, blocks = file_blocks(varied(2_500), 100)
    for conduct, error in ((lacking, NotFoundError), (lying, IntegrityError)):
        peer = ScriptedPeer(1, conduct).hold(blocks)
        rig = await ArchiveRig(peer).hold(block for block in blocks if block.cid.codec == DAG_PB)
        rig.scripted.routing.knows(root, peer)
        with pytest.raises(error):
            await exported(rig, root, ASKING)


async def test_the_chiral_root_of_a_file_stands_for_its_dag() -> None:
    data = bytes(range(251)) * 5000
    root, blocks = file_blocks(data, 256 << 10)
    leaves = [Block.of(data[at : at + (256 << 10)]) for at in range(0, len(data), 256 << 10)]
    info = FileInfo.of("file", len(data), [leaf.cid for leaf in leaves], 1)
    rig = await ArchiveRig().hold(leaves)
    await rig.shelf.enter(info, info.to_json())
    whole = await ArchiveRig().hold(blocks)
    for options in (OFFLINE, ASKING):
        archive, report = await exported(rig, info.root_cid, options)
        assert report.root == root
        assert archive == (await exported(whole, root))[0]
    await rig.blocks.delete_many([leaves[1].cid])
    await rig.blocks.delete_many([root])
    with pytest.raises(NotFoundError, match="1 blocks of the file"):
        await exported(rig, info.root_cid, OFFLINE)


async def test_an_empty_file_by_its_chiral_root() -> None:
    info = FileInfo.of("empty", 0, [], 1)
    rig = ArchiveRig()
    await rig.shelf.enter(info, info.to_json())
    archive, report = await exported(rig, info.root_cid)
    assert read(archive)[1] == [Block.of(b"")]
    assert report.root == CID.of(b"")


async def test_a_block_that_rotted_in_the_store() -> None:
    root, blocks = file_blocks(varied(2_500), 100)
    rig = await ArchiveRig().hold([*blocks[:3], Block(blocks[3].cid, b"rotten"), *blocks[4:]])
    for options in (OFFLINE, PARTIAL, ASKING):
        with pytest.raises(IntegrityError, match="damaged"):
            await exported(rig, root, options)


async def test_links_to_itself_by_forged_bytes() -> None:
    forged = CID.of(b"any", DAG_PB)
    data = encode_node([PbLink(forged, "", 1), PbLink(forged, "", 1)], None)
    rig = await ArchiveRig().hold([Block(forged, data)])
    with pytest.raises(IntegrityError):
        await exported(rig, forged)


async def test_a_node_that_is_none() -> None:
    block = Block.of(b"\xff\xff", DAG_PB)
    rig = await ArchiveRig().hold([block])
    with pytest.raises(MalformedContentError):
        await exported(rig, block.cid)


async def test_a_chain_of_ten_thousand_nodes() -> None:
    blocks = chain(10_000)
    rig = await ArchiveRig().hold(blocks)
    archive, report = await exported(rig, blocks[-1].cid)
    assert report.blocks == 10_001
    assert read(archive)[1] == blocks[::-1]


async def test_a_dag_of_a_thousand_doublings_is_small() -> None:
    blocks = doubling(1000)
    rig = await ArchiveRig().hold(blocks)
    assert (await exported(rig, blocks[-1].cid))[1].blocks == 1001


async def test_blocks_inside_their_cids_are_not_written_and_walked_all_the_same() -> None:
    leaf = Block.of(b"leaf")
    inside = encode_node([PbLink(leaf.cid)], None)
    inline = CID(1, DAG_PB, bytes([IDENTITY]) + encode_varint(len(inside)) + inside)
    root = node_over(Block(inline, inside))
    rig = await ArchiveRig().hold([leaf, root])
    archive, report = await exported(rig, root.cid)
    assert read(archive)[1] == [root, leaf]
    assert report.blocks == 2


async def test_into_a_file_that_is_there_only_once_it_is_whole(tmp_path: Path) -> None:
    root, blocks = file_blocks(varied(25_000), 1000)
    rig = await ArchiveRig().hold(blocks)
    target = tmp_path / "out.car"
    report = await rig.archives.export_to(root, target, OFFLINE, overwrite=False)
    assert target.read_bytes() == (await exported(rig, root))[0]
    assert report.size == target.stat().st_size
    with pytest.raises(FileAccessError, match="exists"):
        await rig.archives.export_to(root, target, OFFLINE, overwrite=False)
    await rig.archives.export_to(root, target, OFFLINE, overwrite=True)
    await rig.blocks.delete_many([blocks[0].cid])
    target.unlink()
    with pytest.raises(NotFoundError):
        await rig.archives.export_to(root, target, OFFLINE, overwrite=False)
    assert leftovers(tmp_path) == []


async def test_a_fault_of_the_store_or_of_the_writer_ends_it() -> None:
    root, blocks = file_blocks(bytes(1000), 100)
    rig = await ArchiveRig().hold(blocks)

    async def write(pieces: Sequence[Piece]) -> None:
        raise FileAccessError("no space")

    with pytest.raises(FileAccessError):
        await rig.archives.export(root, write, OFFLINE)
    broken = FailingReads()
    with pytest.raises(StoreError):
        await exported(await ArchiveRig(store=broken).hold(blocks), root)


class FailingReads(MemoryBlockstore):
    async def get(self, cid: CID) -> bytes | None:
        raise StoreError("the disk is gone")

    async def get_many(self, cids: Sequence[CID]) -> list[bytes | None]:
        raise StoreError("the disk is gone")


async def test_an_archive_of_an_inline_block_has_no_sections() -> None:
    archive, report = await exported(ArchiveRig(), CID.parse("bafkqabiaaebagba"))
    assert (read(archive)[1], report.blocks) == ([], 0)
