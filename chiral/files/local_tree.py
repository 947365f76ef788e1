"""What there is to add below a local path: directories, files and links, by the rules of what is taken. Blocks.

Looks at names and at what the system says of them; no file but ignore rules is opened here.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from chiral.dag.dag_profile import DagChild
from chiral.dag.directory import NO_METADATA, Metadata
from chiral.errors import ChiralError, FileAccessError, ForbiddenError, UsageError
from chiral.files.add_options import TreeOptions
from chiral.files.ignore_rules import IGNORE_FILE, MAX_IGNORE_FILE_BYTES, IgnoreRules
from chiral.files.local_metadata import metadata_of

_DIRECTORIES_AT_ONCE = 64
_ENTRIES_AT_ONCE = 4096


@dataclass(slots=True, eq=False)
class LocalDirectory:
    """A directory at `parts` from the one added on; `children` fills with what was added of it."""

    path: str
    parts: tuple[str, ...]
    rules: IgnoreRules
    parent: LocalDirectory | None = None
    identity: tuple[int, int] = (0, 0)
    metadata: Metadata = NO_METADATA
    lost: bool = False
    """It could not be read, and is left out."""
    children: dict[str, DagChild] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A regular file of about `size` bytes."""

    directory: LocalDirectory
    name: str
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class LocalLink:
    """A symbolic link to `target`."""

    directory: LocalDirectory
    name: str
    target: bytes


class LocalTree:
    """Filled by `look` until it returns False. Directories stand after those they are in."""

    def __init__(self, path: Path, options: TreeOptions) -> None:
        self._options = options
        self._waiting: list[LocalDirectory] = []
        self.directories: list[LocalDirectory] = []
        self.files: list[LocalFile] = []
        self.links: list[LocalLink] = []
        self.faults: list[tuple[str, ChiralError]] = []
        self._begin(path)

    @property
    def size(self) -> int:
        """How many bytes the files have."""
        return sum(file.size for file in self.files)

    def _begin(self, path: Path) -> None:
        """Raises `FileAccessError`, `ForbiddenError` and `UsageError`: then there is nothing to add."""
        rules = IgnoreRules.of(self._options.ignore)
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:
            raise _unreadable(str(path), error) from error
        self._refuse_barred(str(path), status)
        if stat.S_ISDIR(status.st_mode) and not self._options.wrap:
            self._enter(LocalDirectory(str(path), (), rules), status)
            return
        around = LocalDirectory(str(path.parent), (), rules)
        self.directories.append(around)
        self._take(around, path.name, str(path), status)

    def look(self) -> bool:
        """Look into some more directories; whether there are any left. Raises `FileAccessError` for the first one."""
        before = len(self.files) + len(self.links)
        for _ in range(_DIRECTORIES_AT_ONCE):
            if not self._waiting or len(self.files) + len(self.links) - before > _ENTRIES_AT_ONCE:
                break
            self._look_into(self._waiting.pop())
        return bool(self._waiting)

    def _look_into(self, directory: LocalDirectory) -> None:
        try:
            with os.scandir(directory.path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            directory.rules = self._rules_in(directory)
        except OSError as error:
            self._lose(directory, _unreadable(directory.path, error))
            return
        except ChiralError as error:
            self._lose(directory, error)
            return
        for entry in entries:
            try:
                self._meet(directory, entry)
            except ChiralError as error:
                self.faults.append((entry.path, error))
            except OSError as error:
                self.faults.append((entry.path, _unreadable(entry.path, error)))

    def _lose(self, directory: LocalDirectory, error: ChiralError) -> None:
        if directory.parent is None:
            raise error
        directory.lost = True
        self.faults.append((directory.path, error))

    def _meet(self, directory: LocalDirectory, entry: os.DirEntry[str]) -> None:
        if entry.name.startswith(".") and not self._options.hidden:
            return
        is_link = entry.is_symlink() and not self._options.dereference
        is_directory = not is_link and entry.is_dir()
        if directory.rules.ignores((*directory.parts, entry.name), is_directory=is_directory):
            return
        _require_text(entry.name)
        if is_link:
            self.links.append(LocalLink(directory, entry.name, os.readlink(os.fsencode(entry.path))))
            return
        status = entry.stat(follow_symlinks=self._options.dereference)
        self._refuse_barred(entry.path, status)
        self._take(directory, entry.name, entry.path, status)

    def _take(self, directory: LocalDirectory, name: str, path: str, status: os.stat_result) -> None:
        """Note a file or a directory that is to be added as `name`."""
        _require_text(name)
        if stat.S_ISREG(status.st_mode):
            self.files.append(LocalFile(directory, name, path, status.st_size))
        elif stat.S_ISDIR(status.st_mode):
            below = LocalDirectory(path, (*directory.parts, name), directory.rules, directory)
            self._enter(below, status)
        else:
            raise FileAccessError(f"{path} is neither a file nor a directory nor a link")

    def _enter(self, directory: LocalDirectory, status: os.stat_result) -> None:
        directory.identity = (status.st_dev, status.st_ino)
        above = directory.parent if self._options.dereference else None
        while above is not None:
            if above.identity == directory.identity:
                raise FileAccessError(f"{directory.path} leads back into itself", hint="add it without --dereference")
            above = above.parent
        adding = self._options.adding
        directory.metadata = metadata_of(status, mode=adding.mode, mtime=adding.mtime)
        self.directories.append(directory)
        self._waiting.append(directory)

    def _refuse_barred(self, path: str, status: os.stat_result) -> None:
        if self._options.barred(status.st_dev, status.st_ino):
            raise ForbiddenError(f"{path} is of the node's own data directory")

    def _rules_in(self, directory: LocalDirectory) -> IgnoreRules:
        path = os.path.join(directory.path, IGNORE_FILE)
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(MAX_IGNORE_FILE_BYTES + 1)
        except (FileNotFoundError, IsADirectoryError):
            return directory.rules
        if len(text) > MAX_IGNORE_FILE_BYTES:
            raise FileAccessError(f"{path} is over {MAX_IGNORE_FILE_BYTES} bytes")
        return directory.rules.below(directory.parts, text, path)


def _require_text(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(name).decode(errors="replace")
        raise UsageError(f"the name {shown!r} is no text in UTF-8", hint="rename it") from error


def _unreadable(path: str, error: OSError | ValueError) -> FileAccessError:
    reason = error.strerror if isinstance(error, OSError) else None
    return FileAccessError(f"cannot read {path}: {(reason or str(error)).lower()}")
