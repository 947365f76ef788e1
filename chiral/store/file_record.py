"""How a file's record is written in the catalogue: compact JSON, CIDs as hexadecimal, what is not set left out."""

from __future__ import annotations

import json
from typing import Any, cast, get_args

from chiral.block.cid import CID
from chiral.errors import ChiralError, StoreError
from chiral.interface.catalogue import FileRecord, Kind

_KINDS = get_args(Kind)


def encode_record(record: FileRecord) -> bytes:
    """The stored form of `record`."""
    fields: dict[str, Any] = {
        "root": record.root.buffer.hex(),
        "name": record.name,
        "size": record.size,
        "chunks": record.chunks,
        "created_at": record.created_at,
        "added_at": record.added_at,
        "dag_root": record.dag_root.buffer.hex() if record.dag_root else None,
        "kind": record.kind,
        "mime": record.mime,
    }
    optional = {"tags": record.tags, "expires_at": record.expires_at, "other_names": record.other_names}
    fields.update({name: value for name, value in optional.items() if value not in (None, ())})
    return json.dumps(fields, separators=(",", ":")).encode()


def decode_record(data: bytes | memoryview) -> FileRecord:
    """The record stored as `data`, which may lack what older versions did not write; raises `StoreError`."""
    try:
        fields = json.loads(bytes(data))
        dag_root, kind, expires_at = fields["dag_root"], fields.get("kind", "file"), fields.get("expires_at")
        if kind not in _KINDS:
            raise ValueError("a kind that is not known")
        return FileRecord(
            root=CID.from_bytes(bytes.fromhex(fields["root"])),
            name=str(fields["name"]),
            size=int(fields["size"]),
            chunks=int(fields["chunks"]),
            created_at=int(fields["created_at"]),
            added_at=int(fields["added_at"]),
            dag_root=CID.from_bytes(bytes.fromhex(dag_root)) if dag_root else None,
            kind=cast("Kind", kind),
            mime=str(fields.get("mime", "")),
            tags=_texts(fields.get("tags", [])),
            expires_at=None if expires_at is None else int(expires_at),
            other_names=_texts(fields.get("other_names", [])),
        )
    except (ValueError, KeyError, TypeError, ChiralError) as error:
        raise StoreError("a file record in the store cannot be read", hint="restore the store from a backup") from error


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
