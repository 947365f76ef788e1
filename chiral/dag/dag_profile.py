"""How files and directories become a DAG: the settings on which their CIDs depend, with Kubo's names for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB, RAW
from chiral.dag.dag_pb import PbLink, encode_node
from chiral.dag.unixfs import NodeType, UnixFsData, encode_unixfs

Layout = Literal["balanced", "trickle"]
ShardBy = Literal["links", "block"]


@dataclass(frozen=True, slots=True)
class DagProfile:
    """`width` links a node at most. A directory is sharded when it is over `shard_bytes`, measured as `shard_by` says:
    the sum of its names and CIDs, or its encoded block.
    """

    cid_version: Literal[0, 1] = 1
    raw_leaves: bool = True
    width: int = 174
    layout: Layout = "balanced"
    shard_bytes: int = 256 << 10
    shard_by: ShardBy = "links"
    fanout: int = 256

    def node(self, data: bytes | None, links: list[PbLink] | None = None) -> Block:
        """The dag-pb block of `data` and `links` under this profile's kind of CID."""
        encoded = encode_node(links or (), data)
        cid = CID.of(encoded, DAG_PB)
        return Block(cid if self.cid_version else CID(0, DAG_PB, cid.multihash), encoded)


DEFAULT_PROFILE = DagProfile()
"""What `ipfs add --cid-version=1` gives."""
PROFILES = {
    "unixfs-v1": DEFAULT_PROFILE,
    "unixfs-v0-2015": DagProfile(cid_version=0, raw_leaves=False),
    "unixfs-v1-2025": DagProfile(width=1024, shard_by="block"),
}
"""By name; the last two are those of IPIP-499 (with chunks of 256 KiB and of 1 MiB)."""


@dataclass(frozen=True, slots=True)
class DagChild:
    """A part of a file or directory: `size` is its content's bytes, `tsize` what its blocks come to in bytes."""

    cid: CID
    size: int
    tsize: int

    def link(self, name: str = "") -> PbLink:
        return PbLink(self.cid, name, self.tsize)


def leaf(profile: DagProfile, data: bytes | bytearray | memoryview) -> tuple[Block, DagChild]:
    """The block of a chunk and the child it makes: the bytes themselves, or a node around them."""
    if profile.raw_leaves:
        block = Block.of(data, RAW)
    else:
        kind = NodeType.RAW if profile.layout == "trickle" else NodeType.FILE
        # Kubo leaves the data of an empty node out.
        block = profile.node(encode_unixfs(UnixFsData(kind, bytes(data) or None, len(data))))
    return block, DagChild(block.cid, len(data), len(block))


def file_node(profile: DagProfile, children: list[DagChild]) -> tuple[Block, DagChild]:
    """The node over `children` in order, and the child it makes of its own."""
    sizes = tuple(child.size for child in children)
    data = encode_unixfs(UnixFsData(NodeType.FILE, file_size=sum(sizes), block_sizes=sizes))
    block = profile.node(data, [child.link() for child in children])
    return block, DagChild(block.cid, sum(sizes), len(block) + sum(child.tsize for child in children))
