"""The flat layout of a file: a FileInfo lists the file's chunks, and its root is the name that peers ask it by.

The root is the CIDv1 raw of SHA-256 twice over the concatenated chunk CIDs (seed 001), so it commits to the chunks and
their order and to nothing else: name, size and time are claims. How a FileInfo is read stands in `file_info_json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from chiral.block.cid import CID, raw_cid
from chiral.dag.file_info_json import DEFAULT_LIMITS, MAX_U64, FileInfoLimits, read_file_info

_NUMBERS = tuple(str(number).encode() for number in range(256))


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file as the flat layout has it: `size` in bytes, `created_at` in Unix seconds, chunks in the file's order."""

    root_cid: CID
    name: str
    size: int
    chunk_cids: tuple[CID, ...]
    created_at: int

    @classmethod
    def of(cls, name: str, size: int, chunk_cids: Iterable[CID], created_at: int) -> FileInfo:
        """The FileInfo of a file made of `chunk_cids`, its root computed here."""
        chunks = tuple(chunk_cids)
        return cls(flat_root(chunks), name, size, chunks, created_at)

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview, limits: FileInfoLimits = DEFAULT_LIMITS) -> FileInfo:
        """The FileInfo in JSON `data`, its root not verified; raises `ProtocolError` if it is none within `limits`."""
        fields = read_file_info(bytes(data), limits)
        return cls(fields.root_cid, fields.name, fields.size, fields.chunk_cids, fields.created_at)

    def to_json(self) -> bytes:
        """Compact JSON, to the byte as serde_json writes it: a CID as an array of numbers, text as raw UTF-8.

        Raises `ValueError` for numbers outside u64 and for a name that is not Unicode text (lone surrogates).
        """
        if not (0 <= self.size <= MAX_U64 and 0 <= self.created_at <= MAX_U64):
            raise ValueError("size and created_at must fit 64 bits unsigned")
        # Of control characters Python's writer, like serde_json, escapes \b \f \n \r \t short and the others as \u00xx.
        name = json.dumps(self.name, ensure_ascii=False).encode()
        chunks = b",".join([_cid_array(cid) for cid in self.chunk_cids])
        return b'{"root_cid":%b,"name":%b,"size":%d,"chunk_cids":[%b],"created_at":%d}' % (
            _cid_array(self.root_cid),
            name,
            self.size,
            chunks,
            self.created_at,
        )

    def verify(self, cid: CID) -> bool:
        """Whether this is the FileInfo that `cid` names: its chunks give that root, and it says so itself."""
        return self.root_cid == cid and flat_root(self.chunk_cids) == cid


def flat_root(chunk_cids: Iterable[CID]) -> CID:
    """The Chiral root of a file made of `chunk_cids`."""
    once = hashlib.sha256()
    for cid in chunk_cids:
        once.update(cid.buffer)
    return raw_cid(hashlib.sha256(once.digest()).digest())


def _cid_array(cid: CID) -> bytes:
    return b"[" + b",".join(map(_NUMBERS.__getitem__, cid.buffer)) + b"]"
