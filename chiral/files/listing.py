"""Listing a directory: what its names stand for, of which kind and how large, told by the first block of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from chiral.block.cid import CID, IDENTITY, RAW
from chiral.dag.dag_node import DagNode, Want, read_node
from chiral.dag.directory_reader import NamedLink, list_entries
from chiral.dag.unixfs import NodeType
from chiral.errors import MalformedContentError
from chiral.files.dag_blocks import DagBlocks
from chiral.files.dag_opener import NotDirectoryError, OpenDag
from chiral.files.results import EntryFound, EntryKind

_AHEAD = 16


class Listing:
    """The entries of one directory, each looked at when it is asked for. To be iterated over once."""

    def __init__(self, links: Sequence[NamedLink], blocks: DagBlocks) -> None:
        self._links = links
        self._blocks = blocks
        self._at = 0

    @classmethod
    async def of(cls, opened: OpenDag) -> Listing:
        """Of what was opened. Raises `NotDirectoryError`, `MalformedContentError` and as `DagBlocks.block`."""
        if not opened.node.is_directory:
            raise NotDirectoryError(
                f"{'/'.join((str(opened.root), *opened.path))} is not a directory", hint="'chiral cat' shows a file"
            )
        links: list[NamedLink] = []
        walk = list_entries(opened.node)
        said = next(walk, None)
        while said is not None:
            if isinstance(said, Want):
                block = await opened.blocks.block(said)
                try:
                    said = walk.send(block)
                except StopIteration:
                    said = None
            else:
                links.append(said)
                said = next(walk, None)
        return cls(links, opened.blocks)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EntryFound:
        """The next entry. Raises `MalformedContentError` for one that is nothing a directory may hold."""
        if self._at >= len(self._links):
            raise StopAsyncIteration
        link = self._links[self._at]
        self._at += 1
        if link.cid.codec == RAW and link.tsize is not None:
            return EntryFound(link.name, link.cid, "file", link.tsize, link.tsize)
        if link.cid.hash_code == IDENTITY:
            node = read_node(link.cid, link.cid.digest)
        else:
            node = read_node(link.cid, await self._blocks.block(Want(link.cid, self._following())))
        kind = _kind(node)
        size = node.file_size if kind == "file" else len(node.content) if kind == "symlink" else 0
        return EntryFound(link.name, link.cid, kind, size, link.tsize)

    def _following(self) -> tuple[CID, ...]:
        coming = self._links[self._at : self._at + _AHEAD]
        return tuple(link.cid for link in coming if link.cid.codec != RAW)


def _kind(node: DagNode) -> EntryKind:
    if node.is_file:
        return "file"
    if node.is_directory:
        return "directory"
    if node.type is NodeType.SYMLINK:
        return "symlink"
    raise MalformedContentError(f"{node.cid} is {node.type.name.lower()}, which has no place in a directory")
