from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.varint import MAX_VARINT_BYTES, VarintError, decode_varint, encode_varint


@pytest.mark.parametrize(
    ("value", "written"),
    [  # the examples of the unsigned-varint specification
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (255, "ff01"),
        (300, "ac02"),
        (16384, "808001"),
        ((1 << 63) - 1, "ffffffffffffffff7f"),
    ],
)
def test_known_values(value: int, written: str) -> None:
    assert encode_varint(value).hex() == written
    assert decode_varint(bytes.fromhex(written)) == (value, len(written) // 2)


@given(st.integers(0, (1 << 63) - 1), st.binary(max_size=5), st.binary(max_size=5))
def test_what_was_written_is_read_in_place(value: int, before: bytes, after: bytes) -> None:
    written = encode_varint(value)
    for data in (before + written + after, memoryview(before + written + after)):
        assert decode_varint(data, len(before)) == (value, len(before) + len(written))


@given(st.binary(max_size=12))
def test_whatever_is_read_is_minimal(data: bytes) -> None:
    try:
        value, end = decode_varint(data)
    except VarintError:
        return
    assert encode_varint(value) == data[:end]


@pytest.mark.parametrize("value", [-1, 1 << 63, 1 << 70])
def test_values_that_do_not_fit(value: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode_varint(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "short"),
        (b"\x80", "short"),
        (b"\xff" * (MAX_VARINT_BYTES - 1), "short"),
        (b"\xff" * MAX_VARINT_BYTES, "longer"),
        (b"\x80" * 10_000, "longer"),
        (b"\xff" * MAX_VARINT_BYTES + b"\x01", "longer"),
        (b"\x80\x00", "minimal"),
        (b"\x81\x00", "minimal"),
    ],
)
def test_what_is_no_varint(data: bytes, message: str) -> None:
    with pytest.raises(VarintError, match=message):
        decode_varint(data)


def test_past_the_end() -> None:
    with pytest.raises(VarintError, match="short"):
        decode_varint(b"\x01", 1)
