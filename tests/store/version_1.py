"""A store as layout 1 was written, by LMDB calls alone: what the migration of today has to read for ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import lmdb

from chiral.block.cid import CID, RAW
from chiral.block.varint import encode_varint
from chiral.store.environment import STORE_DIRECTORY

TABLES = (
    "blocks",
    "codecs",
    "files",
    "manifests",
    "users",
    "providers",
    "provider_expiry",
    "provider_peers",
    "records",
    "record_expiry",
    "record_authors",
    "state",
)


def write_version_1(data_directory: Path, blocks: Mapping[CID, bytes]) -> None:
    """Make a store of layout 1 in `data_directory` that holds the blocks and a piece of state."""
    directory = data_directory / STORE_DIRECTORY
    directory.mkdir(0o700, parents=True)
    with lmdb.open(str(directory), max_dbs=32, map_size=1 << 30) as handle:
        meta = handle.open_db(b"meta")
        tables = {name: handle.open_db(name.encode(), dupsort=name == "users") for name in TABLES}
        with handle.begin(write=True) as txn:
            txn.put(b"schema_version", b"1", db=meta)
            txn.put(b"block_bytes", sum(map(len, blocks.values())).to_bytes(8, "big"), db=meta)
            for cid, data in blocks.items():
                txn.put(cid.multihash, data, db=tables["blocks"])
                if cid.codec != RAW:
                    txn.put(cid.multihash, encode_varint(cid.codec), db=tables["codecs"])
            txn.put(b"table\0key", b"value", db=tables["state"])


def version_of(directory: Path) -> bytes | None:
    """The layout that the store in `directory` (that of the LMDB file) says it has."""
    with lmdb.open(str(directory), max_dbs=32, readonly=True, create=False) as handle:
        meta = handle.open_db(b"meta", create=False)
        with handle.begin() as txn:
            return txn.get(b"schema_version", db=meta)
