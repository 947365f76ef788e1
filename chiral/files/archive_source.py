"""The bytes of an archive that is imported: from a local file in large pieces, or from parts that somebody sends."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import trio

from chiral.errors import FileAccessError

PIECE_BYTES = 4 << 20


async def pieces_of_file(path: Path) -> AsyncGenerator[bytes, None]:
    """The regular file at `path`; raises `FileAccessError`. To be used under `contextlib.aclosing`."""
    descriptor = await trio.to_thread.run_sync(_open, path)
    try:
        while piece := await trio.to_thread.run_sync(_read, descriptor, path):
            yield piece
    finally:
        os.close(descriptor)


async def pieces_of_parts(parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """What `parts` yields, put together: taking in many small parts one by one would cost a thread's turn for each."""
    waiting: list[bytes] = []
    size = 0
    async for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def size_of_file(path: Path) -> int:
    """In bytes; raises `FileAccessError`."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _open(path: Path) -> int:
    try:
        # Without O_NONBLOCK opening a FIFO would wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileAccessError(f"{path} is not a regular file")
    return descriptor


def _read(descriptor: int, path: Path) -> bytes:
    try:
        return os.read(descriptor, PIECE_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> FileAccessError:
    return FileAccessError(f"cannot read {path}: {(error.strerror or str(error)).lower()}")
