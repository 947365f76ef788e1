"""Merkle DAGs for tests: nodes of dag-pb over raw leaves."""

from __future__ import annotations

from collections.abc import Sequence

from chiral.block.block import Block
from chiral.block.cid import DAG_PB
from chiral.dag.dag_pb import PbLink, encode_node


def leaf(text: str) -> Block:
    return Block.of(text.encode())


def node(*below: Block, text: str = "") -> Block:
    """A node that links to `below` in order."""
    return Block.of(encode_node([PbLink(block.cid, "") for block in below], text.encode()), DAG_PB)


def tree(name: str, width: int = 3, depth: int = 2) -> list[Block]:
    """A whole DAG, its root first: `depth` levels of nodes that have `width` links each."""
    if depth == 0:
        return [leaf(name)]
    parts = [tree(f"{name}/{number}", width, depth - 1) for number in range(width)]
    return [node(*(part[0] for part in parts), text=name), *(block for part in parts for block in part)]


def missing_from(blocks: Sequence[Block], held: Sequence[bool]) -> list[Block]:
    return [block for block, here in zip(blocks, held, strict=True) if not here]
