"""Writing a file that is being read to the disk: under a temporary name beside the target, renamed once it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

import trio

from chiral.errors import FileAccessError
from chiral.files.reader import FileReader
from chiral.files.results import Progress

_NEW_FILE_MODE = 0o666


async def save_file(reader: FileReader, target: Path, *, overwrite: bool, progress: Progress | None) -> None:
    """Write what `reader` gives to `target`. Nothing is left behind on failure or cancellation.

    Raises `FileAccessError` (no permission, no space, or the target exists and `overwrite` is false) and what reading
    raises.
    """
    temporary = target.parent / f".{target.name[:80]}.{secrets.token_hex(4)}.part"
    descriptor = await trio.to_thread.run_sync(_create, temporary, target, overwrite)
    try:
        try:
            done = 0
            async for batch in reader.batches():
                await trio.to_thread.run_sync(_write, descriptor, batch, target)
                done += sum(map(len, batch))
                if progress is not None:
                    progress(done, reader.size)
        finally:
            os.close(descriptor)
        await trio.to_thread.run_sync(_put_in_place, temporary, target, overwrite)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _create(temporary: Path, target: Path, overwrite: bool) -> int:
    if target.is_dir():
        raise FileAccessError(f"{target} is a directory", hint="name a file")
    if not overwrite and target.exists():
        raise _exists(target)
    try:
        return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _NEW_FILE_MODE)
    except OSError as error:
        raise _cannot_write(target, error) from error


def _write(descriptor: int, batch: list[bytes | memoryview], target: Path) -> None:
    try:
        for piece in batch:
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise _cannot_write(target, error) from error


def _put_in_place(temporary: Path, target: Path, overwrite: bool) -> None:
    """Give the file its name in one step; a file that appeared there meanwhile is not replaced unless asked."""
    try:
        if overwrite:
            temporary.replace(target)
            return
        try:
            target.hardlink_to(temporary)
        except FileExistsError:
            raise _exists(target) from None
        except OSError:  # a file system without hard links
            if target.exists():
                raise _exists(target) from None
            temporary.replace(target)
            return
        temporary.unlink()
    except OSError as error:
        raise _cannot_write(target, error) from error


def _exists(target: Path) -> FileAccessError:
    return FileAccessError(f"{target} exists already", hint="choose another name, or --force to replace it")


def _cannot_write(target: Path, error: OSError) -> FileAccessError:
    hint = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return FileAccessError(f"cannot write {target}: {(error.strerror or str(error)).lower()}", hint=hint)
