"""The record that describes a file under `metadata:<root>` in the DHT: its bytes, and what of them is signed.

It begins with seed 000's `FileMetadata` as bincode writes it, so that a Rust peer reads it with that struct (bincode
passes over what follows); dates, author and signature come behind. The format: `interop/spec/metadata-record.md`.
Whether a record may be believed is `metadata_validator`'s to say.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import InvalidCidError, ProtocolError
from chiral.interface.public_key import MAX_PUBLIC_KEY_BYTES

MAX_RECORD_BYTES = 16_192
"""With its key twice around it, that is a DHT message of 16 KiB, the most that Rust peers take: some 360 chunks."""
MAX_NAME_BYTES = 1024
MAX_MIME_TYPE_BYTES = 127
MAX_SIGNATURE_BYTES = 600
VERSION = 1
DOMAIN = b"/chiral/metadata-record/1\n"
"""Goes before what is signed, so that the signature means nothing anywhere else."""
OCTET_STREAM = "application/octet-stream"
_U64 = struct.Struct("<Q")
_LEAST_CID_BYTES = 4


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """What a record says of a file: the FileInfo, its media type, and its DAG root (None: its author knows of none)."""

    info: FileInfo
    mime_type: str = OCTET_STREAM
    dag_root: CID | None = None


@dataclass(frozen=True, slots=True)
class MetadataRecord:
    """A record as it travels. Times in Unix seconds; `author_key` is the author's public key in libp2p's protobuf."""

    metadata: FileMetadata
    issued_at: int
    expires_at: int
    author_key: bytes
    signature: bytes = b""

    def signed_bytes(self) -> bytes:
        """What the signature is of; raises `ValueError` for numbers outside u64 and for names that are not text."""
        return DOMAIN + self._body()

    def encode(self) -> bytes:
        """The record's bytes; raises as `signed_bytes`."""
        return self._body() + _sized(self.signature)

    def _body(self) -> bytes:
        info = self.metadata.info
        parts = [
            _sized(info.root_cid.buffer),
            _sized(info.name.encode()),
            _u64(info.size),
            _sized(self.metadata.mime_type.encode()),
            _u64(info.created_at),
            _sized((self.metadata.dag_root or info.root_cid).buffer),
            _u64(len(info.chunk_cids)),
            *(_sized(cid.buffer) for cid in info.chunk_cids),
            bytes((VERSION,)),
            _u64(self.issued_at),
            _u64(self.expires_at),
            _sized(self.author_key),
        ]
        return b"".join(parts)


def decode_metadata_record(data: bytes) -> MetadataRecord:
    """The record in `data`, all of which it must be; nothing of what it says is verified. Raises `ProtocolError`."""
    if len(data) > MAX_RECORD_BYTES:
        raise ProtocolError(f"a metadata record of {len(data)} bytes, over {MAX_RECORD_BYTES}")
    reader = _Reader(data)
    metadata = _read_metadata(reader)
    version = reader.take(1)[0]
    if version != VERSION:
        raise ProtocolError(f"a metadata record of version {version}")
    issued_at, expires_at = reader.u64(), reader.u64()
    author_key = reader.sized(MAX_PUBLIC_KEY_BYTES, "author")
    signature = reader.sized(MAX_SIGNATURE_BYTES, "signature")
    reader.end()
    return MetadataRecord(metadata, issued_at, expires_at, author_key, signature)


def _read_metadata(reader: _Reader) -> FileMetadata:
    root = reader.cid()
    name = reader.text(MAX_NAME_BYTES, "name")
    size = reader.u64()
    mime_type = reader.text(MAX_MIME_TYPE_BYTES, "media type")
    created_at = reader.u64()
    dag_root = reader.cid()
    count = reader.u64()
    if count * (_U64.size + _LEAST_CID_BYTES) > reader.left:
        raise ProtocolError(f"a metadata record that ends before its {count} chunks")
    chunks = tuple(reader.cid() for _ in range(count))
    info = FileInfo(root, name, size, chunks, created_at)
    return FileMetadata(info, mime_type, None if dag_root == root else dag_root)


class _Reader:
    """A place in a record and what can be read from there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise ProtocolError("a metadata record that ends short")
        self._at += count
        return self._data[self._at - count : self._at]

    def u64(self) -> int:
        return int(_U64.unpack(self.take(_U64.size))[0])

    def sized(self, limit_bytes: int, what: str) -> bytes:
        length = self.u64()
        if length > limit_bytes:
            raise ProtocolError(f"a metadata record whose {what} has {length} bytes, over {limit_bytes}")
        return self.take(length)

    def text(self, limit_bytes: int, what: str) -> str:
        try:
            return self.sized(limit_bytes, what).decode()
        except UnicodeDecodeError as error:
            raise ProtocolError(f"a metadata record whose {what} is not UTF-8") from error

    def cid(self) -> CID:
        try:
            return CID.from_bytes(self.sized(self.left, "CID"))
        except InvalidCidError as error:
            raise ProtocolError(f"a metadata record with a CID that is none: {error}") from error

    def end(self) -> None:
        if self.left:
            raise ProtocolError(f"a metadata record that goes on for {self.left} bytes after its end")


def _u64(number: int) -> bytes:
    try:
        return _U64.pack(number)
    except struct.error as error:
        raise ValueError(f"{number} does not fit 64 bits unsigned") from error


def _sized(data: bytes) -> bytes:
    return _U64.pack(len(data)) + data
