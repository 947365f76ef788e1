"""Reads a file, or a range of one, out of its DAG, whatever its layout; asks only for the blocks that the range needs.

Sizes are claims until the blocks are here: one that turns out to have another size ends the reading with an error.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.dag.dag_node import MAX_DEPTH, Block, DagNode, Want, fetch_node
from chiral.errors import MalformedContentError

AHEAD_BLOCKS = 192
"""All leaves of a full node of the usual width, and the nodes that follow it."""
MAX_FILE_BYTES = (1 << 63) - 1

FileWalk = Generator[Want | memoryview, Block, None]
"""Yields what it wants, and the file's bytes in order (what is sent in answer to those is not looked at)."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A subtree still to be read: where it begins in the file, and its size where the node above told it."""

    cid: CID
    start: int
    size: int | None
    depth: int


def read_file(root: CID, start: int = 0, stop: int | None = None) -> FileWalk:
    """The bytes from `start` up to `stop` (None: the end) of the file `root`; beyond the end there are none.

    Raises `MalformedContentError` if that is no file, or sizes in it do not hold.
    """
    end = MAX_FILE_BYTES if stop is None else stop
    if start >= end:
        return
    stack = [_Part(root, 0, None, 0)]
    coming = [root]  # the CIDs of the stack, for the slices that tell what comes next
    while stack:
        part = stack.pop()
        coming.pop()
        node = yield from _fetch(part.cid, tuple(coming[: -AHEAD_BLOCKS - 1 : -1]))
        _check(node, part)
        content = node.content[max(start - part.start, 0) : end - part.start]
        if content:
            yield content
        children = _children(node, part, start, end)
        children.reverse()
        stack += children
        coming += [child.cid for child in children]


def _fetch(cid: CID, ahead: tuple[CID, ...]) -> Generator[Want | memoryview, Block, DagNode]:
    return (yield from fetch_node(cid, ahead))


def _children(node: DagNode, part: _Part, start: int, end: int) -> list[_Part]:
    """The subtrees of a node that hold bytes from `start` up to `end`; empty ones are never asked for."""
    if node.pb is None or node.unixfs is None:
        return []
    at = part.start + len(node.content)
    parts = []
    for link, size in zip(node.pb.links, node.unixfs.block_sizes, strict=True):
        if size and start < at + size and at < end:
            parts.append(_Part(link.cid, at, size, part.depth + 1))
        at += size
    return parts


def _check(node: DagNode, part: _Part) -> None:
    if not node.is_file:
        raise MalformedContentError(f"{node.cid} is a {node.type.name.lower()}, not a file")
    if part.depth > MAX_DEPTH:
        raise MalformedContentError(f"{node.cid} lies deeper than {MAX_DEPTH} nodes in its file")
    if part.size is not None and node.file_size != part.size:
        raise MalformedContentError(f"{node.cid} has {node.file_size} bytes where {part.size} were announced")
