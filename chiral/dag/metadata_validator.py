"""What of `metadata:<root>` is believed: signed by its author, in time, and its chunks give the root.

Name, size, media type and DAG root stay claims of the author. Signing and verifying are passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.dag.metadata_record import (
    MAX_MIME_TYPE_BYTES,
    MAX_NAME_BYTES,
    MAX_RECORD_BYTES,
    OCTET_STREAM,
    FileMetadata,
    MetadataRecord,
    decode_metadata_record,
)
from chiral.errors import LimitExceededError, ProtocolError
from chiral.interface.public_key import Signer, Verify, peer_id_of_public_key
from chiral.interface.values import Standing

NAMESPACE = "metadata"
CLOCK_SKEW_S = 300.0
"""How far ahead of this one another clock may be."""
MAX_LIFETIME_S = 7 * 24 * 3600.0
LIFETIME_S = 48 * 3600
"""How long the records live that are issued here: as long as a DHT value does."""
_FRESH_S = 3600.0
_PREFIX = b"metadata:"


def metadata_key(root: CID) -> bytes:
    """The key of a file's metadata: `metadata:` and the root's CID as text (seed 000)."""
    return _PREFIX + str(root).encode()


def issue(metadata: FileMetadata, signer: Signer, now: float) -> bytes:
    """The record of `metadata` signed now, good for 48 hours.

    Raises `LimitExceededError` if it is over what a DHT message holds (some 360 chunks), or the name is too long or not
    Unicode text.
    """
    bounded = metadata if _fits(metadata.mime_type, MAX_MIME_TYPE_BYTES) else replace(metadata, mime_type=OCTET_STREAM)
    if not _fits(metadata.info.name, MAX_NAME_BYTES):
        raise LimitExceededError(f"its name is over {MAX_NAME_BYTES} bytes or is not text")
    unsigned = MetadataRecord(bounded, int(now), int(now) + LIFETIME_S, signer.public_key)
    data = replace(unsigned, signature=signer.sign(unsigned.signed_bytes())).encode()
    if len(data) > MAX_RECORD_BYTES:
        raise LimitExceededError(f"its metadata record would have {len(data)} bytes, over {MAX_RECORD_BYTES}")
    return data


def renew(value: bytes, signer: Signer, now: float) -> bytes:
    """The record `value` with the dates of now, if `signer` is its author; another's, or one of this hour, as it is."""
    record = decode_metadata_record(value)
    if record.author_key != signer.public_key or now - record.issued_at < _FRESH_S:
        return value
    return issue(record.metadata, signer, now)


class MetadataValidator:
    """The validator of the name space `metadata`."""

    def __init__(self, verify: Verify) -> None:
        self._verify = verify

    def validate(self, key: bytes, value: bytes, now: float) -> Standing:
        """Raises `ProtocolError` that names the first rule the record breaks; the signature is looked at last."""
        record = decode_metadata_record(value)
        self._check_dates(record, now)
        self._check_root(record.metadata.info, key)
        author = peer_id_of_public_key(record.author_key)
        if not self._verify(record.author_key, record.signed_bytes(), record.signature):
            raise ProtocolError("the metadata record is not signed by its author")
        return Standing(author.raw, float(record.expires_at))

    def select(self, key: bytes, values: Sequence[bytes]) -> int:
        """The last issued; of those issued in one second the one whose bytes are greatest, so that all agree."""
        return max(range(len(values)), key=lambda index: (_issued_at(values[index]), values[index]))

    def _check_dates(self, record: MetadataRecord, now: float) -> None:
        if max(record.issued_at, record.metadata.info.created_at) > now + CLOCK_SKEW_S:
            raise ProtocolError("the metadata record is dated in the future")
        if record.expires_at <= now:
            raise ProtocolError("the metadata record has expired")
        if not 0 < record.expires_at - record.issued_at <= MAX_LIFETIME_S:
            raise ProtocolError("the metadata record lives for less than nothing or more than a week")

    def _check_root(self, info: FileInfo, key: bytes) -> None:
        if metadata_key(info.root_cid) != key or not info.verify(info.root_cid):
            raise ProtocolError("the chunks of the metadata record do not give the root in its key")


def _issued_at(value: bytes) -> int:
    return decode_metadata_record(value).issued_at


def _fits(text: str, limit_bytes: int) -> bool:
    try:
        return len(text.encode()) <= limit_bytes
    except UnicodeEncodeError:
        return False
