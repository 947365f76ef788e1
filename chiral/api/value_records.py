"""What the API answers with about value records of the DHT, and how keys are written in it."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from chiral.api.records import as_text
from chiral.dag.metadata_record import MetadataRecord, decode_metadata_record
from chiral.dag.metadata_validator import NAMESPACE as METADATA
from chiral.errors import InvalidAddressError, ProtocolError
from chiral.interface.peer import PeerId
from chiral.interface.public_key import peer_id_of_public_key
from chiral.interface.values import RecordFound, RecordPut
from chiral.kad.public_key_record import public_key_key
from chiral.kad.validation import namespace_of

_PUBLIC_KEY_TEXT = "/pk/"


def value_key(text: str) -> bytes:
    """The key that `text` means: `/pk/12D3…` the peer id's bytes behind the name space, anything else as it stands."""
    if text.startswith(_PUBLIC_KEY_TEXT):
        try:
            return public_key_key(PeerId.parse(text.removeprefix(_PUBLIC_KEY_TEXT)))
        except InvalidAddressError:
            pass
    return text.encode()


class StoredRecord(BaseModel):
    """Of one key (hexadecimal): how many peers were asked to keep the record, took it, and were needed to."""

    key: str
    asked: int
    stored: int
    needed: int

    @classmethod
    def of(cls, put: RecordPut) -> Self:
        return cls(key=put.key.hex(), asked=put.asked, stored=put.stored, needed=put.needed)


class MetadataView(BaseModel):
    """A file's metadata record. All but the chunks is what `author` claims; times in Unix seconds."""

    root: str
    name: str
    size: int
    mime_type: str
    created_at: int
    dag_root: str | None
    chunks: list[str]
    issued_at: int
    expires_at: int
    author: str

    @classmethod
    def of(cls, record: MetadataRecord) -> Self:
        info = record.metadata.info
        return cls(
            root=str(info.root_cid),
            name=as_text(info.name),
            size=info.size,
            mime_type=record.metadata.mime_type,
            created_at=info.created_at,
            dag_root=None if record.metadata.dag_root is None else str(record.metadata.dag_root),
            chunks=[str(cid) for cid in info.chunk_cids],
            issued_at=record.issued_at,
            expires_at=record.expires_at,
            author=str(peer_id_of_public_key(record.author_key)),
        )


class ValueView(BaseModel):
    """A valid value; `metadata` is what it says where it describes a file."""

    value: str = Field(description="hexadecimal")
    size: int
    metadata: MetadataView | None = None

    @classmethod
    def of(cls, key: bytes, value: bytes) -> Self:
        try:
            record = decode_metadata_record(value) if namespace_of(key) == METADATA else None
            metadata = None if record is None else MetadataView.of(record)
        except ProtocolError:
            metadata = None
        return cls(value=value.hex(), size=len(value), metadata=metadata)


class FoundRecord(BaseModel):
    """A record as it was found: the best one, the different ones of others, best first, and how many had any."""

    key: str = Field(description="hexadecimal")
    best: ValueView
    others: list[ValueView]
    answers: int
    needed: int
    reached: bool

    @classmethod
    def of(cls, found: RecordFound) -> Self:
        return cls(
            key=found.key.hex(),
            best=ValueView.of(found.key, found.value),
            others=[ValueView.of(found.key, value) for value in found.others],
            answers=found.answers,
            needed=found.needed,
            reached=found.reached,
        )
