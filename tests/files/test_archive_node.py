"""Reading one value of a DAG by its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_CBOR, DAG_JSON
from chiral.car.reader import CarReader
from chiral.errors import InvalidCidError, MalformedContentError, NotFoundError, UsageError
from chiral.files.archive_results import ExportOptions
from tests.fakes.archives import ArchiveRig

OFFLINE = ExportOptions(offline=True)
ARCHIVE = Path(__file__).parents[1] / "fixtures" / "car" / "carv1-basic" / "carv1-basic.car"


@pytest.fixture
async def rig() -> ArchiveRig:
    return await ArchiveRig().hold(CarReader().feed(ARCHIVE.read_bytes()))


ROOT = CID.parse("bafyreihyrpefhacm6kkp4ql6j6udakdit7g3dmkzfriqfykhjw6cad5lrm")


async def value(rig: ArchiveRig, cid: CID, *path: str) -> Any:
    return json.loads(await rig.archives.read(cid, path, "dag-json", OFFLINE))


async def test_keys_links_places_and_names(rig: ArchiveRig) -> None:
    assert (await value(rig, ROOT))["name"] == "blip"
    assert await value(rig, ROOT, "name") == "blip"
    node = await value(rig, ROOT, "link")
    assert [link["Name"] for link in node["Links"]] == ["bear", "second"]
    assert await value(rig, ROOT, "link", "Links", "1", "Name") == "second"
    assert await value(rig, ROOT, "link", "Links", "0", "Hash") == {"/": {"bytes": "Y2NjYw"}}
    assert await value(rig, ROOT, "link", "bear") == {"/": {"bytes": "Y2NjYw"}}
    assert await value(rig, ROOT, "link", "second", "first", "cat") == {"/": {"bytes": "YWFhYQ"}}


@pytest.mark.parametrize(
    "path",
    [
        ("nothing",),
        ("name", "0"),
        ("link", "Links", "2"),
        ("link", "Links", "-1"),
        ("link", "Links", "²"),
        ("link", "Links", "9" * 30),
        ("link", "other"),
        ("link", "Data"),
        ("link", "bear", "further"),
    ],
)
async def test_where_there_is_nothing(rig: ArchiveRig, path: tuple[str, ...]) -> None:
    with pytest.raises(NotFoundError, match="there is no"):
        await value(rig, ROOT, *path)


async def test_null_is_something(rig: ArchiveRig) -> None:
    block = Block.of(b'{"a":null}', DAG_JSON)
    await rig.hold([block])
    assert await value(rig, block.cid, "a") is None


async def test_what_is_not_here(rig: ArchiveRig) -> None:
    block = Block.of(b'{"a":{"/":"' + str(CID.of(b"away")).encode() + b'"}}', DAG_JSON)
    await rig.hold([block])
    assert await value(rig, block.cid) == {"a": {"/": str(CID.of(b"away"))}}
    with pytest.raises(NotFoundError, match="not here"):
        await value(rig, block.cid, "a")
    foreign = CID(1, 0x55, b"\xb1\x01\x20" + bytes(32))
    block = Block.of(b'{"a":{"/":"' + str(CID.parse(str(foreign))).encode() + b'"}}', DAG_JSON)
    await rig.hold([block])
    with pytest.raises((InvalidCidError, MalformedContentError)):
        await value(rig, block.cid, "a")


async def test_other_codecs(rig: ArchiveRig) -> None:
    assert await rig.archives.read(ROOT, ["link", "bear"], "raw", OFFLINE) == b"cccc"
    assert await rig.archives.read(ROOT, ["name"], "dag-cbor", OFFLINE) == b"\x64blip"
    node = await rig.archives.read(ROOT, ["link"], "dag-pb", OFFLINE)
    assert CID.parse("QmNX6Tffavsya4xgBi2VJQnSuqy9GsxongxZZ9uZBqp16d").matches(node)
    for codec in ("raw", "dag-pb", "cbor", ""):
        with pytest.raises(UsageError):
            await rig.archives.read(ROOT, [], codec, OFFLINE)


async def test_a_path_without_end(rig: ArchiveRig) -> None:
    with pytest.raises(UsageError, match="steps"):
        await rig.archives.read(ROOT, ["a"] * 2000, "dag-json", OFFLINE)


async def test_a_bomb(rig: ArchiveRig) -> None:
    block = Block.of(b"\x81" * 1_000_000 + b"\x00", DAG_CBOR)
    await rig.hold([block])
    with pytest.raises(MalformedContentError, match="nested"):
        await value(rig, block.cid)


async def test_a_block_inside_its_cid(rig: ArchiveRig) -> None:
    assert await value(rig, CID.parse("bafkqabiaaebagba")) == {"/": {"bytes": "AAECAwQ"}}
