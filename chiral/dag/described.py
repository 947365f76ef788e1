"""Tells a file's mode and time in the root of its DAG, where UnixFS has them."""

from __future__ import annotations

from dataclasses import replace

from chiral.block.block import Block
from chiral.block.cid import DAG_PB
from chiral.dag.dag_pb import PbLink, decode_node
from chiral.dag.dag_profile import DagChild, DagProfile
from chiral.dag.directory import Metadata
from chiral.dag.unixfs import NodeType, UnixFsData, decode_unixfs, encode_unixfs


def described(
    profile: DagProfile, root: DagChild, block: bytes | bytearray | memoryview, metadata: Metadata
) -> tuple[Block, DagChild]:
    """The file `root`, whose own block is `block`, with `metadata`: the new root's block, and the child it makes.

    A node is made anew with it. A single raw leaf has no place for it: a node is put over that, so that no byte of the
    file is there twice. (Kubo gives up raw leaves for such files instead; with those given up the CIDs are the same.)
    """
    if root.cid.codec != DAG_PB:
        sizes = (root.size,) if root.size else ()
        links = [root.link()] if root.size else []
        return _made(profile, UnixFsData(NodeType.FILE, None, root.size, sizes), links, root.size, metadata)
    node = decode_node(block)
    return _made(profile, decode_unixfs(node.data), list(node.links), root.size, metadata)


def _made(
    profile: DagProfile, data: UnixFsData, links: list[PbLink], size: int, metadata: Metadata
) -> tuple[Block, DagChild]:
    told = replace(data, mode=metadata.mode, mtime=metadata.mtime)
    block = profile.node(encode_unixfs(told), links)
    return block, DagChild(block.cid, size, len(block) + sum(link.tsize or 0 for link in links))
