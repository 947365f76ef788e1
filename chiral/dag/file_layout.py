"""Builds the DAG over a file's leaves as they come, holding no more than a path of unfinished nodes.

Sources: UnixFS specification, "Layouts"; the trees are those of Kubo's balanced and trickle layouts.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from chiral.block.block import Block
from chiral.dag.dag_profile import DagChild, DagProfile, file_node, leaf

TRICKLE_LAYERS = 4
"""So many subtrees of each depth hang below a node of the trickle layout."""


class FileLayout(Protocol):
    """Takes leaves in the file's order and gives the nodes that have become whole."""

    def add(self, child: DagChild) -> list[Block]: ...

    def finish(self) -> tuple[list[Block], DagChild]:
        """The last nodes, and the root of it all; a file without leaves has one that is made here."""
        ...


def file_layout(profile: DagProfile) -> FileLayout:
    """A builder for one file."""
    return Trickle(profile) if profile.layout == "trickle" else Balanced(profile)


class Balanced:
    """All leaves at the same depth, every node full but those at the right edge. A single leaf is its own root."""

    def __init__(self, profile: DagProfile) -> None:
        self._profile = profile
        self._levels: list[list[DagChild]] = [[]]

    def add(self, child: DagChild) -> list[Block]:
        made: list[Block] = []
        self._push(0, child, made)
        return made

    def finish(self) -> tuple[list[Block], DagChild]:
        made: list[Block] = []
        level = 0
        while level < len(self._levels):
            waiting = self._levels[level]
            if level + 1 == len(self._levels) and len(waiting) <= 1:
                break
            self._close(level, made)
            level += 1
        if not self._levels[-1]:
            block, root = leaf(self._profile, b"")
            return [*made, block], root
        return made, self._levels[-1][0]

    def _push(self, level: int, child: DagChild, made: list[Block]) -> None:
        # A full node is closed only when more comes: whether it is the root is not known before.
        if len(self._levels[level]) >= self._profile.width:
            self._close(level, made)
        self._levels[level].append(child)

    def _close(self, level: int, made: list[Block]) -> None:
        block, child = file_node(self._profile, self._levels[level])
        made.append(block)
        self._levels[level] = []
        if level + 1 == len(self._levels):
            self._levels.append([])
        self._push(level + 1, child, made)


class Trickle:
    """Leaves near the root first: a node holds a layer of leaves, then subtrees that grow deeper and deeper."""

    def __init__(self, profile: DagProfile) -> None:
        self._profile = profile
        self._made: list[Block] = []
        self._tree: Generator[None, DagChild | None, tuple[DagChild, DagChild | None]] | None = None

    def add(self, child: DagChild) -> list[Block]:
        if self._tree is None:
            self._tree = self._grow(None, child)
            next(self._tree)
        else:
            self._tree.send(child)
        return self._take_made()

    def finish(self) -> tuple[list[Block], DagChild]:
        if self._tree is None:
            block, root = file_node(self._profile, [])
            return [block], root
        try:
            self._tree.send(None)
        except StopIteration as end:
            return self._take_made(), end.value[0]
        raise AssertionError("the tree ends when told so")

    def _take_made(self) -> list[Block]:
        made, self._made = self._made, []
        return made

    def _grow(
        self, depth: int | None, waiting: DagChild | None
    ) -> Generator[None, DagChild | None, tuple[DagChild, DagChild | None]]:
        """A subtree of up to `depth` levels (None: without end) from the leaf `waiting` on, None being the end.

        Returns it, and the leaf that it had no place for.
        """
        children: list[DagChild] = []
        while waiting is not None and len(children) < self._profile.width:
            children.append(waiting)
            waiting = yield
        level = 1
        while waiting is not None and (depth is None or level < depth):
            for _ in range(TRICKLE_LAYERS):
                if waiting is not None:
                    child, waiting = yield from self._grow(level, waiting)
                    children.append(child)
            level += 1
        block, root = file_node(self._profile, children)
        self._made.append(block)
        return root, waiting
