"""A block of a UnixFS DAG as it is read: what kind of thing it is, its own bytes, what lies below it. Verifies no CID.

A walk through a DAG is a generator: it yields the `Want` of a block and is sent that block's bytes. So the same walk
runs over a store, over the network and over an archive, and whoever drives it may fetch ahead.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from chiral.block.cid import CID, DAG_PB, IDENTITY, RAW
from chiral.dag.dag_pb import PbNode, decode_node
from chiral.dag.unixfs import NodeType, UnixFsData, decode_unixfs
from chiral.errors import MalformedContentError

MAX_DEPTH = 256
"""Deeper than any layout makes a file of any size; a chain of nodes without end is no file."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Want:
    """The walk needs the block `cid` now, and most likely those `ahead` after it, in that order."""

    cid: CID
    ahead: tuple[CID, ...] = ()


Block = bytes | bytearray | memoryview
Walk = Generator[Want, Block, R]


@dataclass(frozen=True, slots=True)
class DagNode:
    """A decoded block: a leaf of raw bytes has neither `pb` nor `unixfs`."""

    cid: CID
    raw: Block
    pb: PbNode | None = None
    unixfs: UnixFsData | None = None

    @property
    def type(self) -> NodeType:
        return NodeType.FILE if self.unixfs is None else self.unixfs.type

    @property
    def is_file(self) -> bool:
        return self.type in (NodeType.FILE, NodeType.RAW)

    @property
    def is_directory(self) -> bool:
        return self.type in (NodeType.DIRECTORY, NodeType.HAMT_SHARD)

    @property
    def content(self) -> memoryview:
        """The bytes of a file that stand in this block, or the target of a symbolic link."""
        if self.unixfs is None:
            return memoryview(self.raw)
        return memoryview(self.unixfs.data or b"")

    @property
    def file_size(self) -> int:
        """The size in bytes of the file whose root this is, as it claims."""
        if self.unixfs is None:
            return len(self.raw)
        return len(self.content) + sum(self.unixfs.block_sizes)


def fetch_node(cid: CID, ahead: tuple[CID, ...] = ()) -> Walk[DagNode]:
    """The node `cid`; one whose CID holds its bytes is not asked for. Raises `MalformedContentError`."""
    if cid.hash_code == IDENTITY:
        return read_node(cid, cid.digest)
    return read_node(cid, (yield Want(cid, ahead)))


def read_node(cid: CID, block: Block) -> DagNode:
    """The node in `block`; raises `MalformedContentError` if it is not what the CID's codec says, or not UnixFS."""
    if cid.codec == RAW:
        return DagNode(cid, block)
    if cid.codec != DAG_PB:
        raise MalformedContentError(f"{cid} is {cid.codec_name}, neither a file nor a directory")
    try:
        pb = decode_node(block)
        unixfs = decode_unixfs(pb.data)
        _check(pb, unixfs)
    except MalformedContentError as error:
        raise MalformedContentError(f"{cid}: {error.message}") from error
    return DagNode(cid, block, pb, unixfs)


def _check(pb: PbNode, unixfs: UnixFsData) -> None:
    """What a file's node says of sizes must fit together: reading parts of it relies on them."""
    if unixfs.type not in (NodeType.FILE, NodeType.RAW):
        return
    if len(pb.links) != len(unixfs.block_sizes):
        raise MalformedContentError(f"a file of {len(pb.links)} links and {len(unixfs.block_sizes)} sizes")
    size = len(unixfs.data or b"") + sum(unixfs.block_sizes)
    if unixfs.file_size is not None and unixfs.file_size != size:
        raise MalformedContentError(f"a file that says it has {unixfs.file_size} bytes and is made of {size}")
