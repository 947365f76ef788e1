"""The data of UnixFS nodes: the specification's cases, and what is written is read."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID
from chiral.dag.dag_node import fetch_node, read_node
from chiral.dag.dag_pb import decode_node
from chiral.dag.unixfs import ModifiedTime, NodeType, UnixFsData, decode_unixfs, encode_unixfs
from chiral.errors import InvalidCidError, MalformedContentError
from tests.dag.blocks import Blocks

FIXTURES = Path(__file__).parents[1] / "fixtures"
APPENDIX = json.loads((FIXTURES / "unixfs" / "unixfs-appendix.json").read_text())
U64 = st.integers(0, (1 << 64) - 1)
MAYBE = st.one_of(st.none(), U64)
TIMES = st.builds(
    ModifiedTime, st.integers(-(1 << 63), (1 << 63) - 1), st.one_of(st.none(), st.integers(0, 999_999_999))
)
NODES = st.builds(
    UnixFsData,
    st.sampled_from(NodeType),
    st.one_of(st.none(), st.binary(max_size=9)),
    MAYBE,
    st.lists(U64, max_size=4).map(tuple),
    MAYBE,
    MAYBE,
    MAYBE,
    st.one_of(st.none(), TIMES),
)


@given(NODES)
def test_what_is_written_is_read(node: UnixFsData) -> None:
    assert decode_unixfs(encode_unixfs(node)) == node


@given(st.binary(max_size=100))
def test_any_bytes_are_unixfs_or_refused(data: bytes) -> None:
    with contextlib.suppress(MalformedContentError):
        decode_unixfs(data)


@pytest.mark.parametrize(
    "data", [None, b"", b"\x08\x09", b"\x0a\x00", b"\x08\x02\x12", b"\x08\x02\x42\x00", b"\x0a\x01\x08"]
)
def test_what_is_not_unixfs(data: bytes | None) -> None:
    with pytest.raises(MalformedContentError):
        decode_unixfs(data)


def test_sizes_may_be_packed() -> None:
    assert decode_unixfs(b"\x08\x02\x22\x03\x01\x80\x01").block_sizes == (1, 128)


@pytest.mark.parametrize("case", APPENDIX["well_known"], ids=lambda case: str(case["what"]))
def test_well_known_blocks(case: dict[str, Any]) -> None:
    block = bytes.fromhex(case["block_hex"])
    for text in case["cids"]:
        cid = CID.parse(text)
        assert cid.matches(block)
        assert read_node(cid, block).file_size == 0
    if case["inlined"]:
        _, node = Blocks().walk(fetch_node(CID.parse(case["inlined"])))
        assert bytes(node.raw) == block


@pytest.mark.parametrize("case", APPENDIX["single_block"], ids=lambda case: str(case["what"]))
def test_single_blocks(case: dict[str, Any]) -> None:
    cid, block = CID.parse(case["cid"]), bytes.fromhex(case["block_hex"])
    assert cid.matches(block)
    assert bytes(read_node(cid, block).content).decode() == case["text"]


@pytest.mark.parametrize("case", APPENDIX["identity_limit"], ids=lambda case: str(case["expect"]))
def test_bytes_inside_a_cid_have_a_limit(case: dict[str, Any]) -> None:
    if case["expect"] == "accept":
        cid = CID.parse(case["cid"]).require_supported()
        assert len(cid.digest) == case["digest_length"]
    else:
        with pytest.raises(InvalidCidError):
            CID.parse(case["cid"]).require_supported()


@pytest.mark.parametrize("case", APPENDIX["root_only"], ids=lambda case: str(case["unixfs_type"]))
def test_a_root_tells_what_is_below_it(case: dict[str, Any]) -> None:
    node = read_node(CID.parse(case["cid"]), (FIXTURES / case["fixture"]).read_bytes())
    assert node.type.name.lower() == case["unixfs_type"].lower()
    assert node.pb is not None
    told = [{"name": link.name, "tsize": link.tsize, "cid": str(link.cid)} for link in node.pb.links]
    assert told == case["links"]
    if "filesize" in case:
        assert node.file_size == case["filesize"]


@pytest.mark.parametrize("case", APPENDIX["not_unixfs"], ids=lambda case: str(case["cid"])[-6:])
def test_dag_pb_that_is_not_unixfs(case: dict[str, Any]) -> None:
    block = bytes.fromhex(case["block_hex"])
    decode_node(block)
    with pytest.raises(MalformedContentError, match="not UnixFS"):
        read_node(CID.parse(case["cid"]), block)
