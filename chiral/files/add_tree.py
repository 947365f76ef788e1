"""Adding a directory: its files several at once, then the directories from the innermost out, then the record of it.

Every file in it becomes a file of its own too, under its Chiral root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.dag.dag_profile import DagChild, DagProfile
from chiral.dag.directory import DirectoryEntry, build_directory, symlink
from chiral.errors import ChiralError, FileAccessError, sole_error
from chiral.files.add import Adder
from chiral.files.add_options import TreeOptions
from chiral.files.cutting import BATCH_BYTES
from chiral.files.entries import directory_record, enter
from chiral.files.local_tree import LocalDirectory, LocalFile, LocalTree
from chiral.files.results import FileAdded, NotAdded, Progress, TreeAdded
from chiral.files.shelf import Shelf
from chiral.files.source import SMALL_BYTES, open_path

_ADDS_AT_ONCE = 4
_GROUP_FILES = 64
_GROUP_BYTES = 4 << 20
_FAULTS_KEPT = 1000
Group = list[LocalFile]


class TreeAdder:
    """Adds directories to one node's shelf; `added` is told of the Chiral root of each file."""

    def __init__(self, adder: Adder, shelf: Shelf, clock: Clock) -> None:
        self._adder = adder
        self._shelf = shelf
        self._clock = clock

    async def add(
        self,
        path: Path,
        *,
        name: str,
        options: TreeOptions,
        progress: Progress | None = None,
        added: Callable[[CID], None] = lambda root: None,
    ) -> TreeAdded:
        """Add what is at `path`, all but what cannot be read; the outcome says what that is.

        Raises `FileAccessError` if that is the directory itself, `ForbiddenError`, `UsageError`, `StoreError`.
        """
        tree = await trio.to_thread.run_sync(LocalTree, path, options)
        while await trio.to_thread.run_sync(tree.look):
            pass
        work = _Work(tree, self._adder, options, progress, added)
        if options.adding.only_hash:
            await work.add_files()
            root = await self._add_directories(tree, options.adding.profile, None)
            return work.outcome(root, name)
        used: list[CID] = []
        async with self._shelf.using(used):
            await work.add_files()
            root = await self._add_directories(tree, options.adding.profile, used)
            outcome = work.outcome(root, name)
            record = directory_record(root.cid, name, outcome.size, outcome.chunks, int(self._clock.wall()))
            known = await enter(self._shelf.catalogue, [(record, None)])
        return replace(outcome, known=known[0])

    async def _add_directories(self, tree: LocalTree, profile: DagProfile, used: list[CID] | None) -> DagChild:
        """Make all directories and links, and store them unless `used` is None; the root."""
        making = _making(tree, profile)
        while True:
            blocks, root = await trio.to_thread.run_sync(_some, making)
            if used is not None and blocks:
                used += [block.cid for block in blocks]
                await self._shelf.settled()
                await self._shelf.blocks.put_many(blocks)
            if root is not None:
                return root


class _Work:
    """The files of one tree, added."""

    def __init__(
        self,
        tree: LocalTree,
        adder: Adder,
        options: TreeOptions,
        progress: Progress | None,
        added: Callable[[CID], None],
    ) -> None:
        self._tree = tree
        self._adder = adder
        self._options = options
        self._progress = progress
        self._added = added
        self._faults = [NotAdded(path, error) for path, error in tree.faults[:_FAULTS_KEPT]]
        self._failed = len(tree.faults)
        self._total_bytes = tree.size
        self._done_bytes = 0
        self._files = self._size = self._chunks = self._new_blocks = self._new_bytes = 0

    async def add_files(self) -> None:
        """Add all of them. Raises `StoreError`; what cannot be read is noted."""
        groups = _groups(self._tree.files)
        with sole_error():
            async with trio.open_nursery() as nursery:
                for _ in range(_ADDS_AT_ONCE):
                    nursery.start_soon(self._add_groups, groups)

    def outcome(self, root: DagChild, name: str) -> TreeAdded:
        tree = self._tree
        return TreeAdded(
            root.cid,
            name,
            self._size,
            self._chunks,
            self._new_blocks,
            files=self._files,
            directories=sum(not directory.lost for directory in tree.directories),
            links=len(tree.links),
            failed=self._failed,
            faults=tuple(self._faults),
            new_bytes=self._new_bytes,
        )

    async def _add_groups(self, groups: Iterator[Group]) -> None:
        adding = self._options.adding
        for group in groups:
            outcomes: Sequence[FileAdded | None] = [None]
            if group[0].size <= SMALL_BYTES:
                outcomes = await self._adder.add_small([(Path(file.path), file.name) for file in group], adding)
            for file, outcome in zip(group, outcomes, strict=True):
                if outcome is None:
                    await self._add_one(file)
                else:
                    self._note(file, outcome)
            self._tell(sum(file.size for file in group))

    async def _add_one(self, file: LocalFile) -> None:
        try:
            async with open_path(Path(file.path)) as source:
                outcome = await self._adder.add(
                    source, name=file.name, progress=self._within(file), options=self._options.adding
                )
        except FileAccessError as error:
            self._fail(file.path, error)
        else:
            self._note(file, outcome)

    def _note(self, file: LocalFile, outcome: FileAdded) -> None:
        assert outcome.dag_root is not None, "every file has one"
        file.directory.children[file.name] = DagChild(outcome.dag_root, outcome.size, outcome.dag_bytes)
        self._files += 1
        self._size += outcome.size
        self._chunks += outcome.chunks
        self._new_blocks += outcome.new_blocks
        self._new_bytes += outcome.new_bytes
        self._added(outcome.root)

    def _fail(self, path: str, error: ChiralError) -> None:
        self._failed += 1
        if len(self._faults) < _FAULTS_KEPT:
            self._faults.append(NotAdded(path, error))

    def _within(self, file: LocalFile) -> Progress | None:
        """What tells of the progress of one large file as part of all."""
        tell = self._progress
        if tell is None:
            return None
        return lambda done, total: tell(self._done_bytes + min(done, file.size), self._total_bytes)

    def _tell(self, size: int) -> None:
        self._done_bytes += size
        if self._progress is not None:
            self._progress(self._done_bytes, self._total_bytes)


def _groups(files: Sequence[LocalFile]) -> Iterator[Group]:
    """What is added as one: each large file, and small files together. To be shared by those who add."""
    small: Group = []
    size = 0
    for file in files:
        if file.size > SMALL_BYTES:
            yield [file]
            continue
        if len(small) == _GROUP_FILES or size + file.size > _GROUP_BYTES:
            yield small
            small, size = [], 0
        small.append(file)
        size += file.size
    if small:
        yield small


def _making(tree: LocalTree, profile: DagProfile) -> Iterator[tuple[list[Block], DagChild | None]]:
    """The blocks of links and directories, the innermost first; with the last of them the root."""
    for link in tree.links:
        block, child = symlink(profile, link.target)
        link.directory.children[link.name] = child
        yield [block], None
    for directory in reversed(tree.directories):
        if directory.lost:
            continue
        blocks, child = _made(profile, directory)
        directory.children = {}
        if directory.parent is not None:
            directory.parent.children[directory.parts[-1]] = child
        yield blocks, child if directory is tree.directories[0] else None


def _made(profile: DagProfile, directory: LocalDirectory) -> tuple[list[Block], DagChild]:
    entries = [DirectoryEntry(name, child) for name, child in directory.children.items()]
    return build_directory(profile, entries, directory.metadata)


def _some(making: Iterator[tuple[list[Block], DagChild | None]]) -> tuple[list[Block], DagChild | None]:
    """Blocks enough for one transaction, and the root if that is among them."""
    blocks: list[Block] = []
    size = 0
    for made, root in making:
        blocks += made
        size += sum(map(len, made))
        if root is not None or size >= BATCH_BYTES:
            return blocks, root
    raise AssertionError("the root is made last")
