"""Archives: the fixtures of the IPLD project and of Kubo, any cut of the bytes, and everything that may be damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.block.varint import encode_varint
from chiral.car.header import V2_DATA_OFFSET, V2_PRAGMA, V2Header, encode_header, encode_v2_header
from chiral.car.reader import MAX_BLOCK_BYTES, CarReader
from chiral.car.writer import section, section_bytes
from chiral.errors import MalformedContentError

TESTS = Path(__file__).parents[1]
BASIC = TESTS / "fixtures" / "car"
TREE = (TESTS / "vectors" / "car" / "tree_cidv1.car").read_bytes()
FILES = {name: (BASIC / name / f"{name}.car").read_bytes() for name in ("carv1-basic", "carv2-basic")}
TOLD: dict[str, Any] = {name: json.loads((BASIC / name / f"{name}.json").read_text()) for name in FILES}
BLOCKS = [Block.of(bytes([number]) * number * 10) for number in range(5)]


def _read(archive: bytes, step: int = 1 << 20) -> tuple[CarReader, list[Block]]:
    reader, blocks = CarReader(), []
    for at in range(0, len(archive), step):
        blocks += reader.feed(archive[at : at + step])
    reader.finish()
    return reader, blocks


def _write(roots: list[CID], blocks: list[Block]) -> bytes:
    return encode_header(roots) + b"".join(b"".join(map(bytes, section(block))) for block in blocks)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_the_fixtures(name: str, step: int) -> None:
    reader, blocks = _read(FILES[name], step)
    told = TOLD[name]
    assert reader.version == told["header"]["version"]
    assert [str(root) for root in reader.roots or ()] == [root["/"] for root in told["header"]["roots"]]
    assert [str(block.cid) for block in blocks] == [block["cid"]["/"] for block in told["blocks"]]
    for block, where in zip(blocks, told["blocks"], strict=True):
        assert block.cid.matches(block.data)
        assert block.data == FILES[name][where["blockOffset"] :][: where["blockLength"]]
        assert section_bytes(len(block.cid.buffer), len(block)) == where["length"]


def test_what_is_written_is_the_fixture_again() -> None:
    reader, blocks = _read(FILES["carv1-basic"])
    assert _write(list(reader.roots or ()), blocks) == FILES["carv1-basic"]


def test_an_archive_of_kubo() -> None:
    reader, blocks = _read(TREE)
    assert [str(root) for root in reader.roots or ()] == ["bafybeibno3nn4qyj7vgu7uera7ioumu5ra66umvwicynitpjmbycgzb6si"]
    assert _write(list(reader.roots or ()), blocks) == TREE
    assert all(block.cid.matches(block.data) for block in blocks)


@given(st.lists(st.integers(1, 300), max_size=30))
def test_the_bytes_may_be_cut_anywhere(cuts: list[int]) -> None:
    archive = _write([BLOCKS[0].cid], BLOCKS)
    reader, blocks, at = CarReader(), [], 0
    for cut in [*cuts, len(archive)]:
        blocks += reader.feed(archive[at : at + cut])
        at += cut
    reader.finish()
    assert blocks == BLOCKS


def test_a_version_2_around_any_archive() -> None:
    inner = _write([BLOCKS[1].cid], BLOCKS)
    for padding, index in ((b"", b""), (b"pad", b"an index")):
        offset = V2_DATA_OFFSET + len(padding)
        header = V2Header(offset, len(inner), offset + len(inner) if index else 0)
        reader, blocks = _read(encode_v2_header(header) + padding + inner + index, 5)
        assert (reader.version, reader.roots, blocks) == (2, (BLOCKS[1].cid,), BLOCKS)


def test_an_archive_without_roots_or_blocks() -> None:
    reader, blocks = _read(encode_header([]))
    assert (reader.roots, blocks) == ((), [])


@given(st.integers(0, 10_000))
def test_one_that_is_cut_short(at: int) -> None:
    archive = _write([BLOCKS[0].cid], BLOCKS)
    ends = {len(encode_header([BLOCKS[0].cid]))}
    for block in BLOCKS:
        ends.add(max(ends) + section_bytes(len(block.cid.buffer), len(block)))
    at %= len(archive)
    if at in ends:
        assert len(_read(archive[:at])[1]) < len(BLOCKS)  # whole as far as it goes: a partial archive
    else:
        with pytest.raises(MalformedContentError):
            _read(archive[:at])
    whole = encode_v2_header(V2Header(V2_DATA_OFFSET, len(archive))) + archive
    with pytest.raises(MalformedContentError):
        _read(whole[: at + len(V2_PRAGMA)])


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"\x00",
        b"\x05hello",
        b"\xff" * 10,
        encode_varint((1 << 63) - 1),
        encode_varint(2) + b"\xa1\x00",
        V2_PRAGMA,
        V2_PRAGMA + V2_PRAGMA,
        V2_PRAGMA + bytes(40),
        encode_v2_header(V2Header(V2_DATA_OFFSET, 100, 60)) + bytes(100),
        encode_header([]) + encode_varint((1 << 63) - 1),
        encode_header([]) + encode_varint(MAX_BLOCK_BYTES + 1000),
        encode_header([]) + b"\x02\x01\x55",
        encode_header([]) + b"\x03abc",
        encode_header([]) + b"\x81",
        b"\x0e\xa2eroots\x80gversion",
        b"\x11\xa2eroots\x80gversion\x03",
        b"\x11\xa2eroots\x00gversion\x01",
        b"\x12\xa2eroots\x81\x41agversion\x01",
    ],
)
def test_what_is_no_archive_or_a_damaged_one(archive: bytes) -> None:
    with pytest.raises(MalformedContentError):
        _read(archive)


@given(st.binary(max_size=150))
def test_any_bytes_are_an_archive_or_refused(data: bytes) -> None:
    for archive in (data, encode_header([]) + data, V2_PRAGMA + data):
        try:
            _read(archive)
        except MalformedContentError:
            continue


def test_blocks_before_damage_are_given() -> None:
    archive = _write([], BLOCKS) + b"\x02\x01\x55" + _write([], BLOCKS)
    given = CarReader().feed(archive)
    assert [next(given) for _ in BLOCKS] == BLOCKS
    with pytest.raises(MalformedContentError):
        next(given)


def test_blocks_are_views_of_what_was_fed() -> None:
    archive = _write([], [Block.of(bytes(1000)), *BLOCKS])
    blocks = list(CarReader().feed(archive))
    assert all(isinstance(block.data, memoryview) and block.data.obj is archive for block in blocks)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=40), st.integers(0, 100))
def test_what_was_held_over_a_cut_is_not_changed_by_what_follows(cuts: list[int], padding: int) -> None:
    inner = _write([BLOCKS[2].cid], [*BLOCKS, *BLOCKS[::-1]])
    header = V2Header(V2_DATA_OFFSET + padding, len(inner))
    archive = encode_v2_header(header) + bytes(padding) + inner + b"index"
    reader, blocks, at = CarReader(), [], 0
    for number in range(len(archive)):
        cut = cuts[number % len(cuts)]
        blocks += reader.feed(archive[at : at + cut])
        at += cut
    reader.finish()
    assert [bytes(block.data) for block in blocks] == [bytes(block.data) for block in (*BLOCKS, *BLOCKS[::-1])]


@pytest.mark.parametrize("step", [1, 3, 1 << 20])
def test_empty_sections_are_passed_over(step: int) -> None:
    archive = _write([], BLOCKS[:1]) + bytes(3) + b"".join(map(bytes, section(BLOCKS[1]))) + bytes(2)
    assert _read(archive, step)[1] == BLOCKS[:2]


def test_ten_thousand_roots() -> None:
    roots = [CID.of(number.to_bytes(4, "big")) for number in range(10_000)]
    reader, _ = _read(_write(roots, BLOCKS))
    assert reader.roots == tuple(roots)


@pytest.mark.parametrize(
    "header",
    [
        b"\x81" * 100_000 + b"\x00",  # nested
        b"\xa2eroots\x9a\x00\x0f\x00\x00" + bytes(0xF0000),  # a list of a million numbers
        b"\xa2eroots\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa2eroots\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
    ],
)
def test_header_bombs(header: bytes) -> None:
    with pytest.raises(MalformedContentError, match="not an archive"):
        _read(encode_varint(len(header)) + header)


@pytest.mark.parametrize(
    ("offset", "size"),
    [(0, 0), (50, 100), ((1 << 64) - 1, (1 << 64) - 1), (V2_DATA_OFFSET, (1 << 64) - 1), (1 << 40, 10), (60, 0)],
)
def test_a_version_2_whose_offsets_lie(offset: int, size: int) -> None:
    archive = encode_v2_header(V2Header(offset, size)) + _write([], BLOCKS)
    for step in (1, 1 << 20):
        with pytest.raises(MalformedContentError):
            _read(archive, step)


def test_every_cut_of_an_archive_of_every_kind() -> None:
    inner = _write([BLOCKS[0].cid], BLOCKS)
    ends = [len(encode_header([BLOCKS[0].cid]))]
    for block in BLOCKS:
        ends.append(ends[-1] + section_bytes(len(block.cid.buffer), len(block)))
    for at in range(len(inner)):
        if at in ends:
            assert _read(inner[:at])[1] == BLOCKS[: ends.index(at)]
        else:
            with pytest.raises(MalformedContentError):
                _read(inner[:at])
    whole = encode_v2_header(V2Header(V2_DATA_OFFSET, len(inner))) + inner
    for at in range(len(whole)):
        with pytest.raises(MalformedContentError):
            _read(whole[:at])


def test_a_block_that_runs_past_the_end_of_the_inner_archive() -> None:
    inner = _write([], BLOCKS)
    with pytest.raises(MalformedContentError, match="past its end"):
        _read(encode_v2_header(V2Header(V2_DATA_OFFSET, len(inner) - 1)) + inner)
