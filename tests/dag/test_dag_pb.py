"""dag-pb against the fixtures of the IPLD project, the negative ones too, and against itself."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID, DAG_PB
from chiral.dag.dag_pb import PbLink, PbNode, decode_node, encode_node
from chiral.errors import MalformedContentError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "dag-pb"
CASES = sorted((FIXTURES / "fixtures").iterdir())
BAD_BYTES = json.loads((FIXTURES / "negative-fixtures/dag-pb/decode/edges.json").read_text())
A_CID = CID.of(b"a")
LINKS = st.builds(
    PbLink,
    st.binary(max_size=8).map(CID.of),
    st.one_of(st.none(), st.text(max_size=5)),
    st.one_of(st.none(), st.integers(0, (1 << 64) - 1)),
)


def _from_dag_json(value: Any) -> PbNode:
    links = [PbLink(CID.parse(link["Hash"]["/"]), link.get("Name"), link.get("Tsize")) for link in value["Links"]]
    data = value.get("Data")
    decoded = None if data is None else base64.b64decode(data["/"]["bytes"] + "==")
    return PbNode(tuple(links), decoded)


def test_the_fixtures_are_all_here() -> None:
    assert len(CASES) == 17
    assert len(BAD_BYTES) == 9


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_a_fixture_is_read_and_written_again(case: Path) -> None:
    (file,) = case.glob("*.dag-pb")
    block = file.read_bytes()
    (told,) = case.glob("*.dag-json")
    assert str(CID.of(block, DAG_PB)) == file.stem
    node = decode_node(block)
    assert node == _from_dag_json(json.loads(told.read_text()))
    assert encode_node(node.links, node.data) == block


@pytest.mark.parametrize("case", BAD_BYTES, ids=lambda case: str(case["name"]))
def test_what_is_no_node_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(MalformedContentError):
        decode_node(bytes.fromhex(case["hex"]))


@pytest.mark.parametrize(
    "block",
    [
        b"\x0a\x01a\x0a\x01b",  # data twice
        b"\x1a\x00",  # a third field
        b"\x08\x01",  # data as a number
        b"\x0a\x05ab",  # short
        b"\x12\x04\x1a\x02\x01\x55",  # a link's size as bytes
        b"\x12\x0a\x0a\x08" + b"\x01\x55\x12\x20" + bytes(4),  # a CID cut short
    ],
)
def test_other_bytes_that_are_no_node(block: bytes) -> None:
    with pytest.raises(MalformedContentError):
        decode_node(block)


def test_data_before_links_is_read_as_old_writers_wrote_it() -> None:
    node = PbNode((PbLink(A_CID, "a", 1),), b"data")
    written = encode_node(node.links, node.data)
    links_bytes = len(encode_node(node.links, None))
    assert decode_node(written[links_bytes:] + written[:links_bytes]) == node


def test_links_are_sorted_by_the_bytes_of_their_names_and_equal_ones_stay_in_order() -> None:
    links = [PbLink(A_CID, name, size) for size, name in enumerate(["b", "é", "a", "b", "Z", "", "a"])]
    names = [(link.name, link.tsize) for link in decode_node(encode_node(links, None)).links]
    assert names == [("", 5), ("Z", 4), ("a", 2), ("a", 6), ("b", 0), ("b", 3), ("é", 1)]


@given(st.lists(LINKS, max_size=5), st.one_of(st.none(), st.binary(max_size=20)))
def test_what_is_written_is_read(links: list[PbLink], data: bytes | None) -> None:
    node = decode_node(encode_node(links, data))
    assert node == PbNode(tuple(sorted(links, key=lambda link: (link.name or "").encode())), data)
    assert encode_node(node.links, node.data) == encode_node(links, data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_node_or_refused(block: bytes) -> None:
    with contextlib.suppress(MalformedContentError):
        decode_node(block)


@given(st.lists(LINKS, min_size=1, max_size=3), st.data())
def test_a_bent_node_is_a_node_or_refused(links: list[PbLink], data: st.DataObject) -> None:
    block = bytearray(encode_node(links, b"some data"))
    block[data.draw(st.integers(0, len(block) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(MalformedContentError):
        decode_node(block)
