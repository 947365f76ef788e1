"""Whence added bytes come: a local file or a stream, read and cut into blocks a batch at a time, in worker threads."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import trio

from chiral.dag.directory import Metadata
from chiral.errors import FileAccessError
from chiral.files.cutting import Batch, Cutting
from chiral.files.local_metadata import metadata_of

SMALL_BYTES = 256 * 1024
"""The largest file that is read at once, with others like it."""


class Source(Protocol):
    """Bytes to add."""

    @property
    def size(self) -> int | None:
        """How many bytes are expected, for showing progress; None where that is not known."""
        ...

    def metadata(self, *, mode: bool, mtime: bool) -> Metadata:
        """What is known of its mode and time, as far as wanted."""
        ...

    def batches(self, cutting: Cutting) -> AsyncGenerator[Batch, None]:
        """All of it through `cutting`, which is finished then; to be used under `contextlib.aclosing`."""
        ...


class StreamSource:
    """Bytes that somebody sends."""

    size = None

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts

    def metadata(self, *, mode: bool, mtime: bool) -> Metadata:
        return Metadata()

    async def batches(self, cutting: Cutting) -> AsyncGenerator[Batch, None]:
        """Raises what the sender's iterator raises."""
        async for data in self._parts:
            cutting.feed(data)
            if cutting.full:
                yield await trio.to_thread.run_sync(cutting.cut)
        yield await trio.to_thread.run_sync(cutting.finish)


class PathSource:
    """A local file, open; `size` is what it had when it was opened."""

    def __init__(self, descriptor: int, path: Path, status: os.stat_result) -> None:
        self._descriptor = descriptor
        self._path = path
        self._status = status
        self.size = status.st_size
        self._read = 0

    def metadata(self, *, mode: bool, mtime: bool) -> Metadata:
        return metadata_of(self._status, mode=mode, mtime=mtime)

    async def batches(self, cutting: Cutting) -> AsyncGenerator[Batch, None]:
        """Raises `FileAccessError`, also if the file got shorter while it was read."""
        ended = False
        while not ended:
            batch, ended = await trio.to_thread.run_sync(self._batch, cutting)
            yield batch
        if self._read < self.size:
            raise FileAccessError(
                f"{self._path} got shorter while it was read", hint="add it again when nobody writes to it"
            )

    def _batch(self, cutting: Cutting) -> tuple[Batch, bool]:
        """The next blocks, and whether the file has ended."""
        while not cutting.full:
            try:
                data = os.read(self._descriptor, cutting.read_bytes)
            except OSError as error:
                raise _cannot_read(self._path, error) from error
            if not data:
                return cutting.finish(), True
            self._read += len(data)
            cutting.feed(data)
        return cutting.cut(), False


@asynccontextmanager
async def open_path(path: Path) -> AsyncIterator[PathSource]:
    """The regular file at `path`, open within the block. Raises `FileAccessError`."""
    descriptor, status = await trio.to_thread.run_sync(_open, path)
    try:
        yield PathSource(descriptor, path, status)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The bytes of a file, all of them, and what the system says of it."""

    data: bytes
    status: os.stat_result


def read_small(path: Path) -> ReadFile | None:
    """A regular file of at most 256 KiB, read at once. Blocks.

    None for any other, or one that somebody writes to meanwhile: `open_path` is for those. Raises `FileAccessError`.
    """
    descriptor, status = _open(path)
    size = status.st_size
    try:
        data = os.read(descriptor, size + 1) if size <= SMALL_BYTES else None
    except OSError as error:
        raise _cannot_read(path, error) from error
    finally:
        os.close(descriptor)
    if data is None or len(data) != size:
        return None
    return ReadFile(data, status)


def _open(path: Path) -> tuple[int, os.stat_result]:
    """A descriptor of a regular file, and what the system says of it; raises `FileAccessError`."""
    try:
        # Without O_NONBLOCK opening a FIFO would wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise FileAccessError(f"no such file: {path}") from error
    except (OSError, ValueError) as error:
        raise _cannot_read(path, error) from error
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise FileAccessError(f"{path} is a directory", hint="it is added as one, not as a file")
    raise FileAccessError(f"{path} is not a regular file", hint="pipe its content to a file first")


def _cannot_read(path: Path, error: OSError | ValueError) -> FileAccessError:
    reason = error.strerror if isinstance(error, OSError) else None
    return FileAccessError(f"cannot read {path}: {(reason or str(error)).lower()}")
