"""Local paths that a client names: which may be read, where a file may be put, and names that take nobody's place.

Standard library only: the command line places what it fetched by the same rules.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from chiral.errors import ChiralError, FileAccessError, ForbiddenError, UsageError

_MAX_TRIES = 10_000


def file_to_read(text: str, data_dir: Path) -> Path:
    """The real path of regular file `text`, symbolic links followed.

    Raises `UsageError` for a relative path, `FileAccessError` for what cannot be read, and `ForbiddenError` for
    what lies in `data_dir` or is another name (hard link) of a file that does.
    """
    return _file_to_read(text, data_dir.resolve())[0]


def files_to_read(texts: Iterable[str], data_dir: Path) -> list[tuple[Path, int] | ChiralError]:
    """For each text what `file_to_read` returns, and the file's size in bytes; or the error that it raises."""
    found: list[tuple[Path, int] | ChiralError] = []
    home = data_dir.resolve()
    for text in texts:
        try:
            found.append(_file_to_read(text, home))
        except ChiralError as error:
            found.append(error)
    return found


def _file_to_read(text: str, home: Path) -> tuple[Path, int]:
    """The file and its size; `home` is the real path of the data directory."""
    path = _absolute(text)
    try:
        real = path.resolve(strict=True)
        state = real.stat()
    except (OSError, RuntimeError) as error:
        raise unreadable(path, error) from error
    _outside(real, home)
    if stat.S_ISDIR(state.st_mode):
        raise FileAccessError(f"{path} is a directory", hint="add the files in it one by one")
    if not stat.S_ISREG(state.st_mode):
        raise FileAccessError(f"{path} is not a regular file", hint="pipe it in with 'chiral add -'")
    if state.st_nlink > 1 and _linked_inside(state, home):
        raise ForbiddenError(f"{path} is a file of the node's own data directory")
    return real, state.st_size


def file_to_write(text: str, data_dir: Path, *, overwrite: bool) -> Path:
    """The real path that `text` would be written at: its directory with links followed. Raises as `file_to_read`."""
    path = _absolute(text)
    folder = folder_to_write(str(path.parent), data_dir)
    target = folder / path.name
    _outside(target.resolve(), data_dir.resolve())
    may_take_place_of(target, overwrite=overwrite)
    return target


def folder_to_write(text: str, data_dir: Path) -> Path:
    """The real path of directory `text`. Raises as `file_to_read`."""
    path = _absolute(text)
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise FileAccessError(f"cannot write into {path}: {_said(error)}", hint="create the directory first") from error
    _outside(real, data_dir.resolve())
    if not real.is_dir():
        raise FileAccessError(f"{path} is not a directory")
    if not os.access(real, os.W_OK | os.X_OK):
        raise FileAccessError(f"cannot write into {path}: permission denied", hint="choose another place with -o")
    return real


def may_take_place_of(target: Path, *, overwrite: bool) -> None:
    """Return if a new file may be renamed to `target`: nothing is there or, with `overwrite`, a file.

    Raises `FileAccessError` otherwise, also for a device, whose place a file would take.
    """
    if not os.path.lexists(target):
        return
    if target.is_dir():
        raise FileAccessError(f"{target} is a directory", hint="name a file")
    if not overwrite:
        raise exists_already(target)
    if target.exists() and not target.is_file():
        raise FileAccessError(f"{target} is not a regular file", hint="write to stdout with -o - instead")


def temporary_beside(target: Path) -> Path:
    """A hidden name in the directory of `target` that nothing has yet."""
    return target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}.part")


def place_under_free_name(temporary: Path, folder: Path, name: str) -> Path:
    """Give `temporary`, a file on the same file system, the name `name`, or the first free of `name (1).ext` and so on.

    Never takes the place of anything, also when another does the same at once. Returns the path it has now.
    """
    stem, suffix = os.path.splitext(name)
    for number in range(_MAX_TRIES):
        target = folder / (name if number == 0 else f"{stem} ({number}){suffix}")
        if _claim(temporary, target):
            return target
    raise FileAccessError(f"{_MAX_TRIES} names like {name!r} are taken in {folder}", hint="name the file with -o")


def place_new(temporary: Path, target: Path) -> None:
    """Give `temporary` the name `target` unless something has it; raises `FileAccessError`."""
    if not _claim(temporary, target):
        raise exists_already(target)


def exists_already(path: Path) -> FileAccessError:
    """The error for a target that is there."""
    return FileAccessError(f"{path} exists already", hint="use --force to replace it, or name another with -o")


def unreadable(path: Path, error: Exception) -> FileAccessError:
    """The error for a file that cannot be read."""
    return FileAccessError(f"cannot read {path}: {_said(error)}", hint="check the name and who may read it")


def _claim(temporary: Path, target: Path) -> bool:
    """Rename without replacing; False if the name is taken."""
    try:
        os.link(temporary, target, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
            raise FileAccessError(f"cannot write {target}: {error.strerror}") from error
        return _claim_without_links(temporary, target)
    temporary.unlink()
    return True


def _claim_without_links(temporary: Path, target: Path) -> bool:
    """For file systems without hard links: reserve the name with an empty file, then rename over it."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    os.replace(temporary, target)
    return True


def _absolute(text: str) -> Path:
    if "\0" in text or not os.path.isabs(text):
        raise UsageError(f"{text[:200]!r} is not an absolute path", hint="give the path from / on")
    return Path(text)


def _outside(real: Path, home: Path) -> None:
    if real.is_relative_to(home):
        raise ForbiddenError(f"{real} lies in the node's own data directory", hint="copy it elsewhere first")


def identities_in(data_dir: Path) -> frozenset[tuple[int, int]]:
    """Device and inode of `data_dir` and of all that is in it. Blocks; what is gone meanwhile is left out."""
    found: set[tuple[int, int]] = set()
    for folder, _, names in os.walk(data_dir):
        for name in (os.curdir, *names):
            try:
                state = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            found.add((state.st_dev, state.st_ino))
    return frozenset(found)


def path_to_read(text: str, data_dir: Path) -> Path:
    """The absolute path `text`, which is there and not in `data_dir`; a symbolic link keeps its own name.

    Raises as `file_to_read`, but takes anything that can be looked at.
    """
    path = _absolute(text)
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise unreadable(path, error) from error
    _outside(real, data_dir.resolve())
    return path


def _linked_inside(state: os.stat_result, data_dir: Path) -> bool:
    for folder, _, names in os.walk(data_dir):
        for name in names:
            try:
                if os.path.samestat(state, os.lstat(os.path.join(folder, name))):
                    return True
            except OSError:
                continue  # gone meanwhile
    return False


def _said(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
