"""Writing a file that is being read to the disk: under a temporary name beside the target, renamed once it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from chiral.dag.directory import NO_METADATA, Metadata
from chiral.errors import FileAccessError
from chiral.files.local_metadata import apply_metadata
from chiral.files.reader import Reading
from chiral.files.results import Progress
from chiral.files.supply import Piece

_NEW_FILE_MODE = 0o666
_SHOWN_NAME_BYTES = 80
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TargetExistsError(FileAccessError):
    """Something is at the target already and is not to be replaced."""

    def __init__(self, target: Path) -> None:
        super().__init__(f"{target} exists already", hint="choose another name, or --force to replace it")


async def save_file(
    reader: Reading,
    target: Path,
    *,
    overwrite: bool,
    otherwise: Callable[[Path], Path] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write what `reader` gives to `target` and return where it is. On failure or cancellation nothing is left behind.

    Where something else has appeared at `target` meanwhile, `otherwise` names another path. Raises `FileAccessError`
    (no permission, no space), `TargetExistsError`, and what reading raises.
    """
    part = await trio.to_thread.run_sync(PartFile.create, target, overwrite)
    try:
        done = 0
        while (batch := await reader.next_batch()) is not None:
            await trio.to_thread.run_sync(part.write, batch)
            done += sum(map(len, batch))
            if progress is not None:
                progress(done, reader.size)
        return await trio.to_thread.run_sync(part.keep, overwrite, otherwise, reader.metadata)
    except BaseException:
        part.discard()
        raise


class PartFile:
    """A file in the making, beside the place it is meant for. Everything here may block on the disk."""

    def __init__(self, descriptor: int, path: Path, target: Path) -> None:
        self._descriptor: int | None = descriptor
        self._path = path
        self._target = target

    @classmethod
    def create(cls, target: Path, overwrite: bool) -> PartFile:
        """An empty one; raises `FileAccessError`, `TargetExistsError` if it could not be kept as things stand."""
        try:
            if target.is_dir():
                raise FileAccessError(f"{target} is a directory", hint="name a file")
            if not overwrite and os.path.lexists(target):
                raise TargetExistsError(target)
            path = target.with_name(f".{shortened(target.name)}.{secrets.token_hex(4)}.part")
            return cls(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _NEW_FILE_MODE), path, target)
        except (OSError, ValueError) as error:
            raise cannot_write(target, error) from error

    def write(self, pieces: Sequence[Piece]) -> None:
        """Append all of `pieces`; raises `FileAccessError`."""
        assert self._descriptor is not None, "kept or discarded"
        try:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise cannot_write(self._target, error) from error

    def keep(self, overwrite: bool, otherwise: Callable[[Path], Path] | None, metadata: Metadata = NO_METADATA) -> Path:
        """Give the file its name in one step and return it; raises `FileAccessError`, `TargetExistsError`."""
        target = self._target
        try:
            if self._descriptor is not None:
                apply_metadata(self._descriptor, metadata)
            self._close()
            while True:
                try:
                    self._rename(target, overwrite)
                except TargetExistsError:
                    if otherwise is None:
                        raise
                    target = otherwise(target)
                else:
                    return target
        except OSError as error:
            raise cannot_write(target, error) from error

    def discard(self) -> None:
        """Remove what there is of it; never fails."""
        with contextlib.suppress(OSError):
            self._close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _rename(self, target: Path, overwrite: bool) -> None:
        """Replace what is at `target` only if that is wanted: a link is refused where a name is taken."""
        if overwrite:
            self._path.replace(target)
            return
        try:
            target.hardlink_to(self._path)
        except FileExistsError:
            raise TargetExistsError(target) from None
        except OSError:  # a file system without hard links
            if os.path.lexists(target):
                raise TargetExistsError(target) from None
            self._path.replace(target)
            return
        with contextlib.suppress(OSError):  # the file is in its place: a second name of it is no failure
            self._path.unlink()


def cannot_write(target: Path, error: OSError | ValueError) -> FileAccessError:
    """What `error` means to whoever wants a file at `target`."""
    if not isinstance(error, OSError):
        return FileAccessError(f"cannot write {str(target)!r}: {error}")
    hint = "free some space" if error.errno in _FULL else ""
    return FileAccessError(f"cannot write {target}: {(error.strerror or str(error)).lower()}", hint=hint)


def shortened(name: str) -> str:
    """The start of `name`, so that with what is added it stays within what file systems allow."""
    return os.fsencode(name)[:_SHOWN_NAME_BYTES].decode(errors="ignore")
