"""Records of files and directories, for tests of a catalogue."""

from __future__ import annotations

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.dag.file_info import FileInfo
from chiral.interface.catalogue import FileRecord


def file_of(name: str, *contents: bytes) -> tuple[FileRecord, bytes, list[Block]]:
    """Record, manifest and blocks of a file whose chunks are `contents`."""
    blocks = [Block.of(content) for content in contents]
    info = FileInfo.of(name, sum(map(len, contents)), [block.cid for block in blocks], 1_700_000_000)
    record = FileRecord(info.root_cid, name, info.size, len(blocks), info.created_at, 1_700_000_100)
    return record, info.to_json(), blocks


def directory_of(name: str) -> FileRecord:
    """The record of a directory."""
    root = CID.of(name.encode(), DAG_PB)
    return FileRecord(root, name, 10, 2, 1_700_000_000, 1_700_000_100, dag_root=root, kind="directory")
