"""Metadata records: the vectors to the byte, and any bytes at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID, DAG_PB, RAW
from chiral.dag.file_info import FileInfo
from chiral.dag.metadata_record import (
    DOMAIN,
    MAX_RECORD_BYTES,
    FileMetadata,
    MetadataRecord,
    decode_metadata_record,
)
from chiral.errors import ProtocolError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "metadata-record-1.json").read_text())
U64 = st.integers(0, (1 << 64) - 1)
CIDS = st.binary(min_size=32, max_size=32).map(lambda digest: CID(1, RAW, b"\x12\x20" + digest))
DAG_ROOTS = st.binary(min_size=32, max_size=32).map(lambda digest: CID(1, DAG_PB, b"\x12\x20" + digest))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
INFOS = st.builds(FileInfo, CIDS, TEXT, U64, st.lists(CIDS, max_size=5).map(tuple), U64)
METADATA = st.builds(FileMetadata, INFOS, TEXT, st.none() | DAG_ROOTS)
RECORDS = st.builds(MetadataRecord, METADATA, U64, U64, st.binary(max_size=80), st.binary(max_size=80))


def record_of(fields: dict[str, Any]) -> MetadataRecord:
    chunks = tuple(CID.parse(text) for text in fields["chunks"])
    info = FileInfo(CID.parse(fields["root"]), fields["name"], fields["size"], chunks, fields["created_at"])
    dag_root = None if fields["dag_root"] is None else CID.parse(fields["dag_root"])
    metadata = FileMetadata(info, fields["mime_type"], dag_root)
    return MetadataRecord(metadata, fields["issued_at"], fields["expires_at"], bytes.fromhex(fields["author_key_hex"]))


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: vector["what"])
def test_the_vectors_to_the_byte(vector: dict[str, Any]) -> None:
    value = bytes.fromhex(vector["value_hex"])
    record = decode_metadata_record(value)
    assert replace(record, signature=b"") == record_of(vector["fields"])
    assert record.encode() == value
    assert DOMAIN.decode() == VECTORS["domain"]
    assert record.signed_bytes() == DOMAIN + value[: -8 - len(record.signature)]


@given(RECORDS)
def test_what_is_written_is_read(record: MetadataRecord) -> None:
    assert decode_metadata_record(record.encode()) == record


@given(RECORDS, st.data())
def test_a_part_is_no_record(record: MetadataRecord, data: st.DataObject) -> None:
    whole = record.encode()
    with pytest.raises(ProtocolError):
        decode_metadata_record(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(RECORDS, st.data())
def test_any_bytes_are_a_record_or_an_error(record: MetadataRecord, data: st.DataObject) -> None:
    """Each valid one has one form, so nobody can make another record of the same content."""
    whole = bytearray(record.encode())
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = decode_metadata_record(bytes(whole))
    except ProtocolError:
        return
    assert read.encode() == whole


def test_over_the_limit_nothing_is_read() -> None:
    with pytest.raises(ProtocolError, match=str(MAX_RECORD_BYTES)):
        decode_metadata_record(bytes(MAX_RECORD_BYTES + 1))


@pytest.mark.parametrize("number", [-1, 1 << 64])
def test_numbers_that_cannot_be_written(number: int) -> None:
    record = record_of(VECTORS["valid"][0]["fields"])
    with pytest.raises(ValueError, match="64 bits"):
        replace(record, issued_at=number).encode()
