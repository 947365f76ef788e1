"""The protobuf wire format, against bytes worked out from its definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.protobuf import (
    Fixed,
    as_bytes,
    as_int,
    as_text,
    bytes_field,
    fields,
    int32,
    read_varint,
    varint_field,
    write_varint,
)
from chiral.errors import ProtocolError


@pytest.mark.parametrize(
    ("value", "wire"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (150, "9601"), (300, "ac02"), (2**64 - 1, "ff" * 9 + "01")],
)
def test_varints(value: int, wire: str) -> None:
    assert write_varint(value).hex() == wire
    assert read_varint(bytes.fromhex(wire), 0) == (value, len(wire) // 2)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=4), st.binary(max_size=4))
def test_varints_come_back(value: int, before: bytes, after: bytes) -> None:
    wire = write_varint(value)
    assert read_varint(before + wire + after, len(before)) == (value, len(before) + len(wire))


@pytest.mark.parametrize("value", [-1, 2**64])
def test_a_varint_holds_64_bits(value: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        write_varint(value)


@pytest.mark.parametrize("wire", ["", "80", "ff" * 10, "80" * 11 + "00", "ff" * 9 + "02"])
def test_varints_without_end_or_too_large(wire: str) -> None:
    with pytest.raises(ProtocolError):
        read_varint(bytes.fromhex(wire), 0)


def test_a_varint_need_not_be_minimal() -> None:
    assert read_varint(bytes.fromhex("8100"), 0) == (1, 2)


def test_fields_of_every_wire_type() -> None:
    data = bytes.fromhex("089601" + "120374657374"[:4] + "746573" + "1d01020304" + "210102030405060708")
    assert list(fields(data)) == [(1, 150), (2, b"tes"), (3, Fixed(b"\1\2\3\4")), (4, Fixed(bytes(range(1, 9))))]


def test_negative_numbers_take_ten_bytes() -> None:
    assert varint_field(10, -1).hex() == "50" + "ff" * 9 + "01"
    assert int32(read_varint(varint_field(10, -1), 1)[0]) == -1
    assert int32(2**31) == -(2**31)
    assert int32(7) == 7


@pytest.mark.parametrize(
    "wire",
    [
        "0205",  # field 0
        "0b",  # a group
        "0c",
        "0e",  # wire types that do not exist
        "0f",
        "12",  # no length
        "120561",  # length past the end
        "12ffffffffffffffffff01",
        "0d0102",  # four bytes of which two came
        "09010203",
        "08",  # a varint that did not come
        "8880808010" + "00",  # a field number over 29 bits
    ],
)
def test_malformed(wire: str) -> None:
    with pytest.raises(ProtocolError):
        list(fields(bytes.fromhex(wire)))


def test_values_of_another_type() -> None:
    with pytest.raises(ProtocolError, match="key is not length-delimited"):
        as_bytes(5, "key")
    with pytest.raises(ProtocolError, match="type is not a varint"):
        as_int(b"5", "type")
    with pytest.raises(ProtocolError, match="type is not a varint"):
        as_int(Fixed(b"1234"), "type")
    with pytest.raises(ProtocolError, match="UTF-8"):
        as_text(b"\xff", "timeReceived")
    assert as_text("é".encode(), "timeReceived") == "é"


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_an_error(data: bytes) -> None:
    try:
        found = list(fields(data))
    except ProtocolError:
        return
    assert all(number > 0 for number, _ in found)


@given(st.integers(1, 2**29 - 1), st.binary(max_size=300))
def test_bytes_fields_come_back(number: int, value: bytes) -> None:
    assert list(fields(bytes_field(number, value))) == [(number, value)]


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=4), st.data())
def test_a_message_that_was_cut_short_within_a_field_is_refused(values: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(bytes_field(2, value) for value in values)
    last = len(bytes_field(2, values[-1]))
    cut = data.draw(st.integers(1, last - 1))
    with pytest.raises(ProtocolError):
        list(fields(wire[:-cut]))


@given(st.integers(1, 19), st.binary(max_size=9))
def test_varints_without_end_are_refused(length: int, rest: bytes) -> None:
    endless = b"\x08" + b"\xff" * (length + 10)
    with pytest.raises(ProtocolError, match="without end"):
        list(fields(endless + rest))
