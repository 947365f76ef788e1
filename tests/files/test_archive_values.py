"""Blocks as values: the fixtures of the IPLD project in three codecs, to the byte; what has no form or is too large."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID, DAG_CBOR, DAG_JSON, DAG_PB, LIBP2P_KEY, RAW
from chiral.errors import MalformedContentError, UsageError
from chiral.files.archive_values import MAX_DEPTH, MAX_ITEMS, decode_block, encode_value
from chiral.pinning.links import every_link

FIXTURES = Path(__file__).parents[1] / "fixtures"
DAG_PB_FIXTURES = FIXTURES / "dag-pb"
CODECS = {"dag-pb": DAG_PB, "dag-cbor": DAG_CBOR, "dag-json": DAG_JSON}
CASES = sorted((DAG_PB_FIXTURES / "fixtures").iterdir())
REFUSED = json.loads((DAG_PB_FIXTURES / "negative-fixtures/dag-pb/encode/invalid-forms.json").read_text())
KINDS = json.loads((DAG_PB_FIXTURES / "negative-fixtures/dag-pb/encode/basic-datamodel-kinds.json").read_text())
LINK = CID.of(b"linked")


def form(case: Path, codec: str) -> tuple[CID, bytes]:
    [path] = case.glob(f"*.{codec}")
    return CID.parse(path.name.partition(".")[0]), path.read_bytes()


@pytest.mark.parametrize("target", CODECS)
@pytest.mark.parametrize("source", CODECS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_fixture_from_every_codec_to_every_codec(case: Path, source: str, target: str) -> None:
    cid, block = form(case, source)
    assert cid.codec == CODECS[source]
    assert cid.matches(block)
    assert encode_value(decode_block(cid, block), CODECS[target]) == form(case, target)[1]


def test_there_are_seventeen_fixtures() -> None:
    assert len(CASES) == 17


@pytest.mark.parametrize("case", [*REFUSED, *KINDS], ids=lambda case: case["name"])
def test_values_that_are_no_dag_pb_node(case: dict[str, Any]) -> None:
    with pytest.raises((UsageError, MalformedContentError)):
        encode_value(decode(json.dumps(case["dag-json"])), DAG_PB)


def decode(text: str, codec: int = DAG_JSON) -> Any:
    return decode_block(CID.of(text.encode(), codec), text.encode())


def test_what_the_archive_fixtures_hold() -> None:
    told = json.loads((FIXTURES / "car/carv1-basic/carv1-basic.json").read_text())
    archive = (FIXTURES / "car/carv1-basic/carv1-basic.car").read_bytes()
    for block in told["blocks"]:
        cid = CID.parse(block["cid"]["/"])
        data = archive[block["blockOffset"] :][: block["blockLength"]]
        assert json.loads(encode_value(decode_block(cid, data), DAG_JSON)) == block["content"]


def test_raw_bytes_are_bytes() -> None:
    value = decode_block(CID.of(b"\x01\x02"), b"\x01\x02")
    assert encode_value(value, DAG_JSON) == b'{"/":{"bytes":"AQI"}}'
    assert encode_value(value, RAW) == b"\x01\x02"
    with pytest.raises(UsageError, match="only bytes"):
        encode_value({"a": 1}, RAW)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 60), 1 << 60) | st.text(max_size=20) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5).filter("/".__ne__), inner),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_any_value_there_and_back(value: Any) -> None:
    for codec in (DAG_JSON, DAG_CBOR):
        encoded = encode_value(value, codec)
        assert decode_block(CID.of(encoded, codec), encoded) == value


@pytest.mark.parametrize("value", [{"/": "text"}, [{"a": {"/": {"bytes": "AQI"}}}], {"/": 1}])
def test_objects_that_would_be_read_as_links_or_bytes(value: Any) -> None:
    with pytest.raises(UsageError, match="only key"):
        encode_value(value, DAG_JSON)
    encoded = encode_value(value, DAG_CBOR)
    assert decode_block(CID.of(encoded, DAG_CBOR), encoded) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1 << 70, "\ud800", {"a": object()}])
def test_what_no_codec_has_a_form_for(value: Any) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        encode_value(value, DAG_CBOR)
    if not isinstance(value, int):
        with pytest.raises(UsageError, match="cannot be written"):
            encode_value(value, DAG_JSON)
    with pytest.raises(UsageError):
        encode_value(value, LIBP2P_KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nan",
        "[NaN]",
        '{"/":1}',
        '{"/":{"bytes":1}}',
        '{"/":{"bytes":"%%"}}',
        '{"/":{"other":"a"}}',
        '{"/":"no cid"}',
        '{"/":"Q' + "m" * 100_000 + '"}',
        "[" * 100_000 + "]" * 100_000,
        "9" * 10_000,
    ],
)
def test_what_is_no_dag_json(text: str) -> None:
    with pytest.raises(MalformedContentError):
        decode(text)


def test_json_in_another_encoding_is_none() -> None:
    data = '{"a":1}'.encode("utf-16")
    with pytest.raises(MalformedContentError):
        decode_block(CID.of(data, DAG_JSON), data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x81" * (MAX_DEPTH + 1) + b"\x00",
        b"\x81" * 1_000_000 + b"\x00",
        b"\x9a\x00\x10\x00\x00" + bytes(1 << 20),
        b"\x9b" + b"\xff" * 8,
        b"\xff",
        b"\x00\x00",
        b"\x18\x01",  # a number that is not in its shortest form
    ],
)
def test_cbor_that_is_damaged_or_a_bomb(data: bytes) -> None:
    with pytest.raises(MalformedContentError):
        decode_block(CID.of(data, DAG_CBOR), data)


def test_cbor_just_within_the_limits() -> None:
    data = b"\x81" * MAX_DEPTH + b"\x00"
    decode_block(CID.of(data, DAG_CBOR), data)
    assert MAX_ITEMS >= 100_000


def test_a_codec_that_nobody_reads() -> None:
    cid = CID.of(b"key", LIBP2P_KEY)
    with pytest.raises(MalformedContentError, match="libp2p-key"):
        decode_block(cid, b"key")
    with pytest.raises(MalformedContentError, match="libp2p-key"):
        every_link(cid, b"key")


def test_links_by_codec() -> None:
    text = json.dumps([{"/": str(LINK)}, {"a": {"/": {"bytes": "AQI"}}, "b": [{"/": str(LINK)}]}]).encode()
    assert every_link(CID.of(text, DAG_JSON), text) == [LINK, LINK]
    value = decode_block(CID.of(text, DAG_JSON), text)
    cbor = encode_value(value, DAG_CBOR)
    assert every_link(CID.of(cbor, DAG_CBOR), cbor) == [LINK, LINK]
    node = encode_value({"Links": [{"Hash": value[0]}]}, DAG_PB)
    assert every_link(CID.of(node, DAG_PB), node) == [LINK]
    assert every_link(CID.of(text), text) == []
    for codec in (DAG_JSON, DAG_CBOR, DAG_PB):
        with pytest.raises(MalformedContentError, match=str(CID.of(b"\xff", codec))):
            every_link(CID.of(b"\xff", codec), b"\xff")
