"""How a file's record is written in the catalogue: compact JSON, CIDs as hexadecimal."""

from __future__ import annotations

import json

from chiral.block.cid import CID
from chiral.errors import ChiralError, StoreError
from chiral.interface.catalogue import FileRecord


def encode_record(record: FileRecord) -> bytes:
    """The stored form of `record`."""
    fields = {
        "root": record.root.buffer.hex(),
        "name": record.name,
        "size": record.size,
        "chunks": record.chunks,
        "created_at": record.created_at,
        "added_at": record.added_at,
        "dag_root": record.dag_root.buffer.hex() if record.dag_root else None,
    }
    return json.dumps(fields, separators=(",", ":")).encode()


def decode_record(data: bytes) -> FileRecord:
    """The record stored as `data`; raises `StoreError` if it is not one."""
    try:
        fields = json.loads(data)
        dag_root = fields["dag_root"]
        return FileRecord(
            root=CID.from_bytes(bytes.fromhex(fields["root"])),
            name=str(fields["name"]),
            size=int(fields["size"]),
            chunks=int(fields["chunks"]),
            created_at=int(fields["created_at"]),
            added_at=int(fields["added_at"]),
            dag_root=CID.from_bytes(bytes.fromhex(dag_root)) if dag_root else None,
        )
    except (ValueError, KeyError, TypeError, ChiralError) as error:
        raise StoreError("a file record in the store cannot be read", hint="restore the store from a backup") from error
