"""Walks a whole directory: every entry with its path, a directory before what is in it, each file's bytes after it.

Whoever writes what this yields gets names that are each one component of a path, checked here.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.dag.dag_node import MAX_DEPTH, Block, DagNode, Want, fetch_node
from chiral.dag.directory import name_fault
from chiral.dag.directory_reader import NamedLink, list_entries
from chiral.dag.file_reader import AHEAD_BLOCKS, read_file
from chiral.dag.unixfs import NodeType
from chiral.errors import MalformedContentError


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file, directory or symbolic link at `path` (empty: the root itself); a file's bytes are yielded next."""

    path: tuple[str, ...]
    node: DagNode


TreeWalk = Generator[Want | TreeEntry | memoryview, Block, None]
"""What is sent in answer to anything but a want is not looked at."""


@dataclass(frozen=True, slots=True)
class _Place:
    path: tuple[str, ...]
    cid: CID


def read_tree(root: DagNode) -> TreeWalk:
    """All of `root`, whatever it is. Raises `MalformedContentError` also for a name that no directory may have."""
    stack: list[_Place] = []
    coming: list[CID] = []  # the CIDs of the stack, for the slices that tell what comes next
    place, node = _Place((), root.cid), root
    while True:
        yield TreeEntry(place.path, node)
        if node.is_directory:
            places = yield from _places(place, node)
            places.reverse()
            stack += places
            coming += [other.cid for other in places]
        elif node.is_file:
            yield from _content(node, tuple(coming[: -AHEAD_BLOCKS - 1 : -1]))
        elif node.type is not NodeType.SYMLINK:
            raise MalformedContentError(f"{node.cid} is {node.type.name.lower()}, which has no place in a directory")
        if not stack:
            return
        place = stack.pop()
        coming.pop()
        node = yield from _fetch(place.cid, tuple(coming[: -AHEAD_BLOCKS - 1 : -1]))


def _fetch(cid: CID, ahead: tuple[CID, ...]) -> Generator[Want | TreeEntry | memoryview, Block, DagNode]:
    return (yield from fetch_node(cid, ahead))


def _places(place: _Place, directory: DagNode) -> Generator[Want | TreeEntry | memoryview, Block, list[_Place]]:
    """What is in `directory`, in its order."""
    if len(place.path) >= MAX_DEPTH:
        raise MalformedContentError(f"{directory.cid}: directories deeper than {MAX_DEPTH}")
    found: list[_Place] = []
    walk = list_entries(directory)
    said = next(walk, None)
    while said is not None:
        if isinstance(said, Want):
            said = _answered(walk, (yield said))
        else:
            if fault := name_fault(said.name):
                raise MalformedContentError(f"{directory.cid}: {said.name[:80]!r} is no name: {fault}")
            found.append(_Place((*place.path, said.name), said.cid))
            said = next(walk, None)
    return found


def _answered(walk: Generator[Want | NamedLink, Block, None], block: Block) -> Want | NamedLink | None:
    try:
        return walk.send(block)
    except StopIteration:
        return None


def _content(node: DagNode, following: tuple[CID, ...]) -> TreeWalk:
    """The bytes of the file `node`, whose own block is not asked for again."""
    walk = read_file(node.cid)
    said = next(walk, None)
    first = True
    while said is not None:
        try:
            if not isinstance(said, Want):
                yield said
                said = next(walk, None)
            elif first and said.cid == node.cid:
                said = walk.send(node.raw)
            else:
                said = walk.send((yield Want(said.cid, (*said.ahead, *following)[:AHEAD_BLOCKS])))
        except StopIteration:
            return
        first = False
