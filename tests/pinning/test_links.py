"""The links of blocks of every codec that is read."""

from __future__ import annotations

import json

import pytest

from chiral.block.cid import CID, DAG_CBOR, DAG_JSON, DAG_PB, IDENTITY, RAW
from chiral.dag.dag_pb import PbLink, encode_node
from chiral.errors import MalformedContentError
from chiral.pinning.links import links_of, may_link

A, B = CID.of(b"a"), CID.of(b"b", DAG_PB)
INLINE = CID(1, RAW, bytes([IDENTITY, 1]) + b"x")


def cbor_link(cid: CID) -> bytes:
    return b"\xd8\x2a\x58" + bytes([len(cid.buffer) + 1]) + b"\0" + cid.buffer


@pytest.mark.parametrize(("codec", "links"), [(RAW, False), (DAG_PB, True), (DAG_CBOR, True), (DAG_JSON, True)])
def test_which_codecs_have_links(codec: int, links: bool) -> None:
    assert may_link(CID.of(b"x", codec)) is links


def test_dag_pb() -> None:
    block = encode_node([PbLink(A, "1"), PbLink(B, "2"), PbLink(INLINE, "3")], b"")
    assert links_of(CID.of(block, DAG_PB), block) == [A, B]


def test_dag_cbor() -> None:
    block = b"\xa2\x61a" + cbor_link(A) + b"\x61b\x82" + cbor_link(B) + b"\x05"
    assert links_of(CID.of(block, DAG_CBOR), block) == [A, B]


def test_dag_json() -> None:
    block = json.dumps({"a": {"/": str(A)}, "b": [1, {"/": str(B)}], "c": {"/": {"bytes": "AA"}}}).encode()
    assert links_of(CID.of(block, DAG_JSON), block) == [A, B]


def test_raw_bytes_name_nothing() -> None:
    assert links_of(CID.of(b"\x12"), b"\x12") == []


@pytest.mark.parametrize("codec", [DAG_PB, DAG_CBOR, DAG_JSON])
def test_what_the_codec_does_not_allow(codec: int) -> None:
    cid = CID.of(b"\x99 no node", codec)
    with pytest.raises(MalformedContentError, match=str(cid)):
        links_of(cid, b"\x99 no node")


def test_dag_json_with_a_link_that_is_none() -> None:
    block = b'{"/": "no cid"}'
    with pytest.raises(MalformedContentError):
        links_of(CID.of(block, DAG_JSON), block)
