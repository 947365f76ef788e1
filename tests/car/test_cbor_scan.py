"""Going over DAG-CBOR: the same links as a decoder finds, and no more work than the bytes are worth."""

from __future__ import annotations

from typing import Any

import dag_cbor
import multiformats
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID, DAG_CBOR
from chiral.car.cbor_scan import scan_cbor
from chiral.errors import MalformedContentError

LINKS = [CID.of(bytes([number]), DAG_CBOR) for number in range(8)]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), 1 << 63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.binary(max_size=300)
    | st.sampled_from(LINKS),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=5), inner, max_size=30),
    max_leaves=60,
)


def scan(data: bytes, items: int = 10_000, depth: int = 100) -> list[CID]:
    return scan_cbor(data, max_items=items, max_depth=depth)


def encoded(value: Any) -> bytes:
    return dag_cbor.encode(_foreign(value))


def _foreign(value: Any) -> Any:
    if isinstance(value, CID):
        return multiformats.CID.decode(value.buffer)
    if isinstance(value, list):
        return [_foreign(item) for item in value]
    return {key: _foreign(item) for key, item in value.items()} if isinstance(value, dict) else value


def _links(value: Any) -> list[CID]:
    """In the order of the encoding: shorter keys first."""
    if isinstance(value, CID):
        return [value]
    if isinstance(value, dict):
        ordered = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return [link for key in ordered for link in _links(value[key])]
    return [link for item in value for link in _links(item)] if isinstance(value, list) else []


@given(VALUES)
def test_the_links_of_any_value(value: Any) -> None:
    assert scan(encoded(value)) == _links(value)


@given(VALUES, st.integers(0, 1 << 20))
def test_a_value_cut_short_or_with_something_behind_it(value: Any, at: int) -> None:
    whole = encoded(value)
    for damaged in (whole[: at % len(whole)], whole + b"\x00"):
        with pytest.raises(MalformedContentError):
            scan(damaged)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        scan(data)
    except MalformedContentError:
        return
    assert data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x9f\xff",  # a list of indefinite length
        b"\x1c",
        b"\xd8\x2b\x41\x00",  # another tag
        b"\xd8\x2a\x01",  # a link that is a number
        b"\xd8\x2a\x40",
        b"\xd8\x2a\x42\x01\x01",
        b"\xd8\x2a\x43\x00\x01\x55",
        b"\x9b" + b"\xff" * 8,  # a list of 2^64-1 items
        b"\x5b" + b"\xff" * 8,
        b"\xbb" + b"\x7f" + b"\xff" * 7 + b"\x00" * 100,
    ],
)
def test_what_is_no_value(data: bytes) -> None:
    with pytest.raises(MalformedContentError):
        scan(data)


def test_nesting_is_bounded_and_needs_no_recursion() -> None:
    assert scan(b"\x81" * 100_000 + b"\x00", items=200_000, depth=200_000) == []
    with pytest.raises(MalformedContentError, match="nested"):
        scan(b"\x81" * 101 + b"\x00")
    assert scan(b"\x81" * 100 + b"\x00") == []


def test_items_are_bounded() -> None:
    assert scan(b"\x98\x64" + b"\x00" * 100, items=101) == []
    with pytest.raises(MalformedContentError, match="more items"):
        scan(b"\x98\x65" + b"\x00" * 101, items=101)
    with pytest.raises(MalformedContentError, match="more items"):
        scan(b"\x19\x01\x00" + b"", items=0)


def test_small_numbers_do_not_run_past_the_end_of_their_list() -> None:
    link = encoded(LINKS[0])
    assert scan(b"\x82\x82\x01\x02" + link) == [LINKS[0]]
    with pytest.raises(MalformedContentError, match="follow"):
        scan(b"\x82\x01\x02\x03\x04")
