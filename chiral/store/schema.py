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
    ViewTransaction = lmdb.Transaction[memoryview]
    """Reads, and gives views that are dead with it: to measure or hash without copying."""
    AnyTransaction = ReadTransaction | WriteTransaction

SCHEMA_VERSION = 2
"""1: blocks bare. 2: blocks packed and quarantined, the files' index (migrations)."""
MAX_TABLES = 32
MAX_KEY_BYTES = 511
"""LMDB's own limit, built in."""
_META = b"meta"
_VERSION_KEY = b"schema_version"
_DUPSORT = frozenset({"users", "dag_roots"})


@dataclass(slots=True, eq=False)
class Tables:
    """Handles of the named tables; each is used by the one module named beside it.

    Ask it for a handle at each use, inside the transaction: when the store is compacted they are replaced.
    """

    meta: _Database
    """Schema version and counters."""
    blocks: _Database
    """Multihash -> the block's bytes (block_table)."""
    packed: _Database
    """Multihash -> a compressed block in its frame; a block is here or in `blocks`, never in both (block_table)."""
    codecs: _Database
    """Multihash -> codec varint, for blocks that are not raw (block_table)."""
    quarantine: _Database
    """Multihash -> a damaged block, when it was found and why it is taken for one (quarantine)."""
    files: _Database
    """Root's multihash -> file record (catalogue)."""
    manifests: _Database
    """Root's multihash -> FileInfo JSON (catalogue)."""
    users: _Database
    """Chunk's multihash -> multihashes of the roots made of it (catalogue)."""
    dag_roots: _Database
    """DAG root's multihash -> multihashes of the roots catalogued with it (file_index)."""
    file_rows: _Database
    """Time added, backwards, and root's multihash of a page's last row -> the page (row_table)."""
    file_expiry: _Database
    """Expiry, root's multihash -> nothing (file_index)."""
    pins: _Database
    """Kind, codec, multihash, name -> time and CID of a pin (pins)."""
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

    def adopt(self, others: Tables) -> None:
        """Take the handles of `others`, those of the same store opened anew."""
        for field in fields(self):
            setattr(self, field.name, getattr(others, field.name))


def stored_version(environment: lmdb.Environment, directory: Path) -> int | None:
    """The layout of the store in `directory`, None of one with nothing in it. Changes nothing.

    Raises `StoreError` for a layout newer than this one and for an environment that is no store.
    """
    if environment.stat()["entries"] == 0:
        return None
    meta = environment.open_db(_META, create=False)
    with environment.begin(db=meta) as txn:
        found = txn.get(_VERSION_KEY)
    version = int(found) if found is not None and found.isdigit() else 0
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"the store in {directory} has layout {version}, newer than this Chiral knows ({SCHEMA_VERSION})",
            hint="run the version of Chiral that wrote it, or a newer one",
        )
    if version < 1:
        raise StoreError(f"{directory} holds an LMDB environment that is not a Chiral store")
    return version


def begin_store(environment: lmdb.Environment) -> None:
    """Make an empty environment a store of this layout."""
    with environment.begin(write=True) as txn:
        put_version(txn, environment.open_db(_META, txn=txn), SCHEMA_VERSION)


def put_version(txn: AnyTransaction, meta: _Database, version: int) -> None:
    """From the end of the transaction the store has layout `version`."""
    txn.put(_VERSION_KEY, str(version).encode(), db=meta)


def open_tables(environment: lmdb.Environment) -> Tables:
    """The tables of a store, those made that it does not have yet."""
    names = [field.name for field in fields(Tables)]
    return Tables(**{name: environment.open_db(name.encode(), dupsort=name in _DUPSORT) for name in names})
