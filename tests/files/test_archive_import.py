"""Taking in archives: fixtures, partial and damaged ones, the same one again; what is kept and what is catalogued."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_CBOR, DAG_PB
from chiral.block.varint import encode_varint
from chiral.car.header import V2_DATA_OFFSET, V2Header, encode_header, encode_v2_header
from chiral.car.writer import section, section_bytes
from chiral.dag.file_info import FileInfo
from chiral.errors import (
    FileAccessError,
    IntegrityError,
    InvalidCidError,
    MalformedContentError,
    StoreFullError,
    UploadCutError,
)
from chiral.files.archive_results import ImportReport
from chiral.interface.pins import PinKind
from tests.fakes.archives import ArchiveRig, chain, file_blocks, node_over, varied

TESTS = Path(__file__).parents[1]
FIXTURES = TESTS / "fixtures" / "car"
TREE = TESTS / "vectors" / "car" / "tree_cidv1.car"
BLOCKS = [Block.of(bytes([number]) * number * 10) for number in range(1, 6)]


def archive_of(roots: Sequence[CID], blocks: Sequence[Block]) -> bytes:
    return encode_header(roots) + b"".join(b"".join(map(bytes, section(block))) for block in blocks)


async def parts(archive: bytes, step: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(archive), step):
        await trio.lowlevel.checkpoint()
        yield archive[at : at + step]


async def taken(rig: ArchiveRig, archive: bytes, *, pin: bool = True) -> ImportReport:
    return await rig.archives.import_stream(parts(archive), pin=pin)


@pytest.mark.parametrize("name", ["carv1-basic", "carv2-basic"])
async def test_the_fixtures(name: str) -> None:
    told = json.loads((FIXTURES / name / f"{name}.json").read_text())
    rig = ArchiveRig()
    report = await taken(rig, (FIXTURES / name / f"{name}.car").read_bytes())
    cids = [CID.parse(block["cid"]["/"]) for block in told["blocks"]]
    assert (report.version, report.blocks, report.new) == (told["header"]["version"], len(cids), len(set(cids)))
    assert [str(root.cid) for root in report.roots] == [root["/"] for root in told["header"]["roots"]]
    assert all(await rig.blocks.has_many(cids))


async def test_a_file_with_a_directory_of_kubo(tmp_path: Path) -> None:
    path = tmp_path / "tree.car"
    path.write_bytes(TREE.read_bytes())
    rig = ArchiveRig()
    seen: list[tuple[int, int | None]] = []
    report = await rig.archives.import_file(path, progress=lambda done, total: seen.append((done, total)))
    [root] = report.roots
    assert (root.here, root.whole, root.pinned, report.missing.count) == (True, True, True, 0)
    record = await rig.catalogue.get(root.cid)
    assert record is not None
    assert (record.name, record.kind, record.dag_root, record.chiral_root) == ("tree", "directory", root.cid, None)
    [pin] = await rig.pins.of(root.cid)
    assert pin.kind is PinKind.RECURSIVE
    assert rig.announcer.told == [root.cid]
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    assert (await rig.archives.import_file(path, name="other")).new == 0


async def test_a_file_is_catalogued_with_its_size_and_leaves() -> None:
    data = varied(10_000)
    root, blocks = file_blocks(data, 100)
    rig = ArchiveRig()
    report = await rig.archives.import_stream(parts(archive_of([root], blocks)), name="photo.jpg", pin=False)
    record = await rig.catalogue.get(root)
    assert record is not None
    leaves = len({block.cid for block in blocks if block.cid.codec != DAG_PB})
    assert (record.name, record.kind, record.size, record.chunks) == ("photo.jpg", "file", len(data), leaves)
    assert record.mime == "image/jpeg"
    assert [root.pinned for root in report.roots] == [False]
    assert await rig.pins.of(root) == []


async def test_the_dag_of_a_file_that_is_known_by_its_chiral_root_gets_no_second_entry() -> None:
    root, blocks = file_blocks(bytes(range(250)), 100)
    rig = ArchiveRig()
    leaves = [block for block in blocks if block.cid.codec != DAG_PB]
    info = FileInfo.of("mine", 250, [leaf.cid for leaf in leaves], 1)
    await rig.hold(leaves)
    await rig.shelf.enter(info, info.to_json(), dag_root=root)
    await taken(rig, archive_of([root], blocks))
    assert await rig.catalogue.count() == 1


async def test_the_same_again_is_passed_over() -> None:
    root, blocks = file_blocks(varied(10_000), 100)
    archive = archive_of([root], blocks)
    rig = ArchiveRig()
    first = await taken(rig, archive)
    assert (first.blocks, first.new, first.known) == (len(blocks), len(blocks), 0)
    again = await taken(rig, archive)
    assert (again.blocks, again.new, again.known) == (len(blocks), 0, len(blocks))
    assert again.size == len(archive)


async def test_one_that_was_cut_goes_on_where_it_was() -> None:
    root, blocks = file_blocks(varied(10_000), 100)
    archive = archive_of([root], blocks)
    rig = ArchiveRig()
    with pytest.raises(MalformedContentError, match=r"cut short.*sound blocks of the archive are kept"):
        await taken(rig, archive[: len(archive) // 2])
    assert await rig.catalogue.count() == 0
    here = (await rig.blocks.stats()).blocks
    assert here > 10
    again = await taken(rig, archive)
    assert (again.known, again.new) == (here, len(blocks) - here)


async def test_a_cut_at_every_section() -> None:
    root, blocks = file_blocks(bytes(range(250)), 50)
    archive = archive_of([root], blocks)
    at, ends = len(encode_header([root])), []
    for block in blocks:
        at += section_bytes(len(block.cid.buffer), len(block))
        ends.append(at)
    for kept, end in enumerate(ends):
        rig = ArchiveRig()
        for cut in (end - 1, end - len(blocks[kept]) - 1):
            with pytest.raises(MalformedContentError, match=f"; {kept} sound"):
                await taken(rig, archive[:cut])
        assert (await rig.blocks.stats()).blocks == kept
    for cut in (0, 1, 5, len(encode_header([root])) - 1):
        with pytest.raises(MalformedContentError):
            await taken(ArchiveRig(), archive[:cut])


async def test_a_partial_archive_names_what_is_missing_and_is_not_catalogued() -> None:
    root, blocks = file_blocks(varied(2_500), 100)
    leaves = [block for block in blocks if block.cid.codec != DAG_PB]
    rig = ArchiveRig()
    report = await taken(rig, archive_of([root], [block for block in blocks if block not in leaves[2:4]]))
    assert (report.missing.count, set(report.missing.first)) == (2, {leaf.cid for leaf in leaves[2:4]})
    assert [(state.here, state.whole, state.pinned) for state in report.roots] == [(True, False, False)]
    assert await rig.catalogue.count() == 0
    assert await rig.pins.of(root) == []
    report = await taken(rig, archive_of([root], leaves[2:4]))
    assert [(state.whole, state.pinned) for state in report.roots] == [(True, True)]


async def test_an_archive_without_its_root_or_without_any() -> None:
    rig = ArchiveRig()
    report = await taken(rig, archive_of([CID.of(b"elsewhere", DAG_PB)], BLOCKS))
    assert [(root.here, root.pinned) for root in report.roots] == [(False, False)]
    assert (report.new, report.missing.count) == (len(BLOCKS), 1)
    assert (await taken(rig, archive_of([], BLOCKS))).roots == ()


async def test_several_roots() -> None:
    leaf = Block.of(b"leaf")
    cbor = Block.of(b"\xa1aa\x01", DAG_CBOR)
    node = node_over(leaf)
    rig = ArchiveRig()
    report = await taken(rig, archive_of([leaf.cid, cbor.cid, node.cid, leaf.cid], [leaf, cbor, node]))
    assert [(root.cid, root.pinned) for root in report.roots] == [
        (leaf.cid, True), (cbor.cid, True), (node.cid, True),
    ]  # fmt: skip
    record = await rig.catalogue.get(leaf.cid)
    assert record is not None
    assert record.name == str(leaf.cid)
    assert await rig.catalogue.count() == 1


async def test_ten_thousand_roots() -> None:
    blocks = [Block.of(number.to_bytes(3, "big")) for number in range(10_000)]
    rig = ArchiveRig()
    report = await taken(rig, archive_of([block.cid for block in blocks], blocks))
    assert len(report.roots) == report.new == 10_000
    assert all(root.whole for root in report.roots)


async def test_other_bytes_than_the_cid_names() -> None:
    rig = ArchiveRig()
    forged = [*BLOCKS[:3], Block(BLOCKS[3].cid, b"other"), BLOCKS[4]]
    with pytest.raises(IntegrityError, match=f"{BLOCKS[3].cid}.*; 3 sound"):
        await taken(rig, archive_of([BLOCKS[0].cid], forged))
    assert await rig.blocks.has_many([block.cid for block in BLOCKS]) == [True, True, True, False, False]
    assert await rig.catalogue.count() == 0


async def test_a_hash_that_nobody_here_can_verify() -> None:
    unknown = CID(1, 0x55, b"\xb1\x01\x20" + bytes(32))
    with pytest.raises(InvalidCidError, match="; 1 sound"):
        await taken(ArchiveRig(), archive_of([], [BLOCKS[0], Block(unknown, b"x")]))


async def test_blocks_inside_their_cids_are_known() -> None:
    rig = ArchiveRig()
    inline = CID.parse("bafkqabiaaebagba")
    report = await taken(rig, archive_of([inline], [Block(inline, inline.digest), BLOCKS[0]]))
    assert (report.blocks, report.new, report.known) == (2, 1, 1)
    assert (await rig.blocks.stats()).blocks == 1


@pytest.mark.parametrize(
    "damage",
    [
        encode_varint((1 << 63) - 1),
        b"\xff" * 9 + b"\x01",
        encode_varint(5 << 20),
        b"\x02\x01\x55",
        b"\x10" + bytes(16),
    ],
)
async def test_damage_after_sound_blocks(damage: bytes) -> None:
    rig = ArchiveRig()
    with pytest.raises(MalformedContentError, match=f"; {len(BLOCKS)} sound"):
        await taken(rig, archive_of([], BLOCKS) + damage + bytes(100))
    assert (await rig.blocks.stats()).blocks == len(BLOCKS)


@pytest.mark.parametrize(
    "header", [V2Header(V2_DATA_OFFSET, 1 << 62), V2Header(1 << 62, 100), V2Header(V2_DATA_OFFSET, 9)]
)
async def test_a_version_2_that_lies_about_itself(header: V2Header) -> None:
    with pytest.raises(MalformedContentError):
        await taken(ArchiveRig(), encode_v2_header(header) + archive_of([], BLOCKS))


async def test_a_chain_of_ten_thousand_nodes() -> None:
    blocks = chain(10_000)
    report = await taken(ArchiveRig(), archive_of([blocks[-1].cid], blocks))
    assert (report.new, report.missing.count, report.roots[0].whole) == (10_001, 0, True)


async def test_a_root_that_is_not_what_its_codec_says_is_kept() -> None:
    block = Block.of(b"\xff\xff", DAG_PB)
    rig = ArchiveRig()
    report = await taken(rig, archive_of([block.cid], [block]))
    assert report.roots[0].pinned
    assert await rig.catalogue.count() == 0


async def test_an_upload_that_is_cut_keeps_what_came() -> None:
    archive = archive_of([], BLOCKS)

    async def cut() -> AsyncIterator[bytes]:
        yield archive[:-20]
        await trio.lowlevel.checkpoint()
        raise UploadCutError("the upload ended before it was whole")

    rig = ArchiveRig()
    with pytest.raises(UploadCutError):
        await rig.archives.import_stream(cut())
    assert await rig.catalogue.count() == 0


async def test_a_full_store_ends_it() -> None:
    rig = ArchiveRig()
    rig.blocks.fault = StoreFullError("no space is left")
    with pytest.raises(StoreFullError):
        await taken(rig, archive_of([], BLOCKS))


async def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.car", tmp_path):
        with pytest.raises(FileAccessError):
            await ArchiveRig().archives.import_file(path)
