"""The tables of the store and the version of their layout."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import lmdb

from chiral.errors import StoreError

if TYPE_CHECKING:
    from lmdb import _Database

    ReadTransaction = lmdb.Transaction[bytes]
    """Gives bytes: copies that outlive it."""
    WriteTransaction = lmdb.Transaction[memoryview]
    """Gives views that are dead once anything is written: measure or copy them at once."""
    AnyTransaction = ReadTransaction | WriteTransaction

SCHEMA_VERSION = 1
MAX_TABLES = 32
MAX_KEY_BYTES = 511
"""LMDB's own limit, built in."""
_META = b"meta"
_VERSION_KEY = b"schema_version"
_DUPSORT = frozenset({"users"})


@dataclass(frozen=True, slots=True)
class Tables:
    """Handles of the named tables; each is used by the one module named beside it."""

    meta: _Database
    """Schema version and counters."""
    blocks: _Database
    """Multihash -> the block's bytes (block_table)."""
    codecs: _Database
    """Multihash -> codec varint, for blocks that are not raw (block_table)."""
    files: _Database
    """Root's multihash -> file record (catalogue)."""
    manifests: _Database
    """Root's multihash -> FileInfo JSON (catalogue)."""
    users: _Database
    """Chunk's multihash -> multihashes of the roots made of it (catalogue)."""
    providers: _Database
    """SHA-256 of the key, peer id -> provider record (providers)."""
    provider_expiry: _Database
    """Expiry, provider key -> nothing (providers)."""
    provider_peers: _Database
    """Peer id -> how many provider records it has here (providers)."""
    records: _Database
    """SHA-256 of the key, author's peer id or nothing -> value record (values)."""
    record_expiry: _Database
    """Expiry, record key -> nothing (values)."""
    record_authors: _Database
    """Author's peer id -> how many value records are here of it (values)."""
    state: _Database
    """Table name, NUL, key -> value (datastore)."""

    def all(self) -> list[_Database]:
        """Every table."""
        return [getattr(self, field.name) for field in fields(self)]


def open_tables(environment: lmdb.Environment, directory: Path) -> Tables:
    """The tables, made in an empty environment; raises `StoreError` before touching a store of another layout."""
    is_new = environment.stat()["entries"] == 0
    meta = environment.open_db(_META, create=is_new)
    if is_new:
        with environment.begin(write=True, db=meta) as txn:
            txn.put(_VERSION_KEY, str(SCHEMA_VERSION).encode())
    with environment.begin(db=meta) as txn:
        _check_version(txn.get(_VERSION_KEY), directory)
    names = [field.name for field in fields(Tables)]
    return Tables(**{name: environment.open_db(name.encode(), dupsort=name in _DUPSORT) for name in names})


def _check_version(found: bytes | None, directory: Path) -> None:
    version = int(found) if found is not None and found.isdigit() else 0
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"the store in {directory} has layout {version}, newer than this Chiral knows ({SCHEMA_VERSION})",
            hint="run the version of Chiral that wrote it, or a newer one",
        )
    if version < 1:
        raise StoreError(f"{directory} holds an LMDB environment that is not a Chiral store")
