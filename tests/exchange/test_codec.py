"""The block protocol's words against the vectors made by the Rust crates, and against anything at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID
from chiral.errors import ProtocolError
from chiral.exchange.codec import NOT_HELD, answer_head, decode_answer, decode_request, encode_request

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "rust-blocks-1.0.0.json").read_text())


@pytest.mark.parametrize("case", VECTORS["cids"], ids=lambda case: case["name"])
def test_requests_are_the_bytes_rust_writes(case: dict[str, Any]) -> None:
    cid = CID.parse(case["cid"])
    assert cid.buffer.hex() == case["cid_bytes_hex"]
    assert cid.codec == case["codec"]
    assert encode_request(cid).hex() == case["bincode_block_request_hex"]
    assert decode_request(bytes.fromhex(case["bincode_block_request_hex"])) == cid


@pytest.mark.parametrize("case", VECTORS["decoder"], ids=lambda case: case["name"])
def test_requests_are_taken_and_refused_as_rust_does(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    if case["as_request"].startswith("ok "):
        assert str(decode_request(data)) == case["as_request"][3:]
    else:
        with pytest.raises(ProtocolError):
            decode_request(data)


@pytest.mark.parametrize("case", VECTORS["decoder"], ids=lambda case: case["name"])
def test_answers_are_taken_and_refused_as_rust_does(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    expected = case["as_response"]
    if expected == "ok None":
        assert decode_answer(data) is None
    elif expected.startswith("ok Some("):
        answer = decode_answer(data)
        assert answer is not None
        assert list(answer) == json.loads(expected[8:-1])
    else:
        with pytest.raises(ProtocolError):
            decode_answer(data)


def test_answers_are_the_bytes_rust_writes() -> None:
    responses = VECTORS["responses"]
    assert NOT_HELD.hex() == responses["none"]
    assert answer_head(0).hex() == responses["some_empty"]
    assert (answer_head(11) + b"hello world").hex() == responses["some_hello_world"]
    manifest = VECTORS["file"]["fileinfo_json"].encode()
    assert (answer_head(len(manifest)) + manifest).hex() == VECTORS["file"]["block_response_hex"]


@given(st.binary(max_size=200))
def test_anything_decodes_or_is_a_protocol_error(data: bytes) -> None:
    for decode in (decode_request, decode_answer):
        try:
            decode(data)
        except ProtocolError:
            continue


@given(st.binary(max_size=1000), st.binary(max_size=20))
def test_an_answer_survives_the_way_there_with_bytes_after_it(data: bytes, trailing: bytes) -> None:
    answer = decode_answer(answer_head(len(data)) + data + trailing)
    assert answer is not None
    assert bytes(answer) == data


@given(st.binary(min_size=1, max_size=100))
def test_an_answer_cut_anywhere_is_an_error_never_shorter(data: bytes) -> None:
    whole = answer_head(len(data)) + data
    for end in range(len(whole)):
        with pytest.raises(ProtocolError):
            decode_answer(whole[:end])
