"""Writing a directory to the disk: into a directory of its own beside the target, renamed once all of it is there.

Nothing is written outside of that: it is new, only this writes into it, every name is one component, and symbolic links
are made last of all, so that none is ever followed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import trio

from chiral.block.cid import RAW
from chiral.dag.dag_node import DagNode, Want
from chiral.dag.directory import NO_METADATA, Metadata
from chiral.dag.link_target import target_fault
from chiral.dag.tree_reader import TreeEntry, read_tree
from chiral.errors import FileAccessError, ForbiddenError
from chiral.files.dag_file import metadata_in
from chiral.files.dag_opener import OpenDag
from chiral.files.local_metadata import apply_metadata
from chiral.files.results import Progress
from chiral.files.save import TargetExistsError, cannot_write, shortened

_BATCH_BYTES = 4 << 20
_BATCH_ENTRIES = 256
_NEW_DIRECTORY_MODE = 0o777
_WRITABLE_MODE = 0o700
Said = TreeEntry | memoryview


@dataclass(slots=True)
class TreeSaved:
    """Where a directory was written, and what it held: `blocks` of `files` of `size` bytes."""

    path: Path
    files: int = 0
    size: int = 0
    chunks: int = 0


async def save_tree(
    opened: OpenDag,
    target: Path,
    *,
    otherwise: Callable[[Path], Path] | None = None,
    unsafe_links: bool = False,
    progress: Progress | None = None,
) -> TreeSaved:
    """Write the directory opened to `target`, which nothing is at. On failure or cancellation nothing is left behind.

    Where something is or appears there, `otherwise` names another path. Raises `ForbiddenError` for a symbolic link
    that leads out of the directory unless `unsafe_links`, `FileAccessError`, `MalformedContentError`, and what fetching
    raises.
    """
    tree = await trio.to_thread.run_sync(PartTree.create, target, otherwise is None)
    try:
        total = _claimed_size(opened.node)
        walk = read_tree(opened.node)
        said = next(walk, None)
        batch: list[Said] = []
        weight = 0
        while said is not None:
            if not isinstance(said, Want):
                batch.append(said)
                weight += len(said) if isinstance(said, memoryview) else _BATCH_BYTES // _BATCH_ENTRIES
                said = next(walk, None)
                continue
            if batch and (weight >= _BATCH_BYTES or not opened.blocks.at_hand(said)):
                await _write(tree, batch, unsafe_links, progress, total)
                batch, weight = [], 0
            tree.saved.chunks += said.cid.codec == RAW
            try:
                said = walk.send(await opened.blocks.block(said))
            except StopIteration:
                said = None
        await _write(tree, batch, unsafe_links, progress, total)
        return await trio.to_thread.run_sync(tree.keep, otherwise)
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(tree.discard)
        raise


async def _write(
    tree: PartTree, batch: list[Said], unsafe_links: bool, progress: Progress | None, total: int | None
) -> None:
    await trio.to_thread.run_sync(tree.write, batch, unsafe_links)
    if progress is not None:
        progress(tree.saved.size, total)


def _claimed_size(node: DagNode) -> int | None:
    """What all of a directory comes to, nodes included, as its links claim."""
    if node.pb is None:
        return None
    return sum(link.tsize or 0 for link in node.pb.links)


@dataclass(slots=True)
class PartTree:
    """A directory in the making, beside the place it is meant for. Everything here may block on the disk."""

    root: Path
    target: Path
    saved: TreeSaved
    _file: int | None = None
    _file_metadata: Metadata = NO_METADATA
    _file_path: str = ""
    _directories: list[tuple[str, Metadata]] = field(default_factory=list)
    _links: list[tuple[str, bytes]] = field(default_factory=list)

    @classmethod
    def create(cls, target: Path, must_be_free: bool) -> PartTree:
        """An empty one. Raises `FileAccessError`, `TargetExistsError` if it could not be kept as things stand."""
        if must_be_free and os.path.lexists(target):
            raise TargetExistsError(target)
        root = target.with_name(f".{shortened(target.name)}.{secrets.token_hex(4)}.part")
        try:
            os.mkdir(root, _NEW_DIRECTORY_MODE)
        except (OSError, ValueError) as error:
            raise cannot_write(target, error) from error
        return cls(root, target, TreeSaved(target))

    def write(self, batch: list[Said], unsafe_links: bool) -> None:
        """The next entries and bytes of a walk."""
        for said in batch:
            if isinstance(said, TreeEntry):
                self._begin(said, unsafe_links)
            else:
                self._append(said)

    def keep(self, otherwise: Callable[[Path], Path] | None) -> TreeSaved:
        """Finish it and give it its name; raises `FileAccessError`, `TargetExistsError`."""
        self._end_file()
        for path, link in self._links:
            with self._naming(path):
                os.symlink(link, os.fsencode(path))
        for path, metadata in reversed(self._directories):
            with self._naming(path):
                apply_metadata(path, metadata)
        target = self.target
        while os.path.lexists(target):
            if otherwise is None:
                raise TargetExistsError(target)
            target = otherwise(target)
        with self._naming(str(target)):
            os.rename(self.root, target)
        self.saved.path = target
        return self.saved

    def discard(self) -> None:
        """Remove what there is of it; never fails."""
        with contextlib.suppress(OSError):
            self._close()
        for path, _ in self._directories:
            with contextlib.suppress(OSError):
                os.chmod(path, _WRITABLE_MODE)  # one that nobody may write to could not be emptied
        shutil.rmtree(self.root, ignore_errors=True)

    def _begin(self, entry: TreeEntry, unsafe_links: bool) -> None:
        self._end_file()
        path = os.path.join(self.root, *entry.path)
        with self._naming(path):
            if entry.node.is_directory:
                if entry.path:
                    os.mkdir(path, _NEW_DIRECTORY_MODE)
                self._directories.append((path, metadata_in(entry.node)))
            elif entry.node.is_file:
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
                self._file_metadata, self._file_path = metadata_in(entry.node), path
                self.saved.files += 1
            else:
                self._links.append((path, _checked_target(entry, unsafe_links)))

    def _append(self, piece: memoryview) -> None:
        assert self._file is not None, "bytes follow their file"
        self.saved.size += len(piece)
        with self._naming(self._file_path):
            while piece:
                piece = piece[os.write(self._file, piece) :]

    def _end_file(self) -> None:
        if self._file is not None:
            with self._naming(self._file_path):
                apply_metadata(self._file, self._file_metadata)
                self._close()

    def _close(self) -> None:
        if self._file is not None:
            descriptor, self._file = self._file, None
            os.close(descriptor)

    @contextlib.contextmanager
    def _naming(self, path: str) -> Iterator[None]:
        """Faults of the system within the block as `FileAccessError`, which names the path as it was to be."""
        try:
            yield
        except FileExistsError as error:
            shown = self.target / os.path.relpath(path, self.root)
            raise FileAccessError(f"{shown} comes twice, as far as this file system tells names apart") from error
        except (OSError, ValueError) as error:
            raise cannot_write(self.target / os.path.relpath(path, self.root), error) from error


def _checked_target(entry: TreeEntry, unsafe_links: bool) -> bytes:
    """Where a symbolic link leads, as bytes; raises `ForbiddenError`."""
    target = bytes(entry.node.content)
    fault = "" if unsafe_links else target_fault(target, len(entry.path) - 1)
    if fault:
        shown = target.decode(errors="replace")[:200]
        raise ForbiddenError(
            f"the symbolic link {'/'.join(entry.path)!r} leads to {shown!r}, {fault}; nothing was written",
            hint="--unsafe-links writes links as they are",
        )
    return target
