"""What is added: a local file or a stream, read and cut into blocks a batch at a time, in worker threads."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import trio

from chiral.block.block import Block
from chiral.chunker.splitter import Splitter
from chiral.errors import FileAccessError

BATCH_BLOCKS = 8
_READ_BYTES = 256 * 1024


class Source(Protocol):
    """Bytes to add."""

    @property
    def size(self) -> int | None:
        """How many bytes are expected, for showing progress; None where that is not known."""
        ...

    def batches(self, splitter: Splitter) -> AsyncGenerator[list[Block], None]:
        """All of it as blocks, in order; to be used under `contextlib.aclosing`."""
        ...


class StreamSource:
    """Bytes that somebody sends."""

    size = None

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts

    async def batches(self, splitter: Splitter) -> AsyncGenerator[list[Block], None]:
        """Raises what the sender's iterator raises."""
        pieces: list[bytes] = []
        async for data in self._parts:
            pieces += splitter.feed(data)
            while len(pieces) >= BATCH_BLOCKS:
                yield await trio.to_thread.run_sync(_blocks_of, pieces[:BATCH_BLOCKS])
                del pieces[:BATCH_BLOCKS]
        pieces += splitter.finish()
        if pieces:
            yield await trio.to_thread.run_sync(_blocks_of, pieces)


class PathSource:
    """A local file, open; `size` is what it had when it was opened."""

    def __init__(self, descriptor: int, path: Path, size: int) -> None:
        self._descriptor = descriptor
        self._path = path
        self.size = size
        self._read = 0

    async def batches(self, splitter: Splitter) -> AsyncGenerator[list[Block], None]:
        """Raises `FileAccessError`, also if the file got shorter while it was read."""
        ended = False
        while not ended:
            batch, ended = await trio.to_thread.run_sync(self._batch, splitter)
            if batch:
                yield batch
        if self._read < self.size:
            raise FileAccessError(
                f"{self._path} got shorter while it was read", hint="add it again when nobody writes to it"
            )

    def _batch(self, splitter: Splitter) -> tuple[list[Block], bool]:
        """Up to a batch of blocks, and whether the file has ended."""
        pieces: list[bytes] = []
        while len(pieces) < BATCH_BLOCKS:
            try:
                data = os.read(self._descriptor, _READ_BYTES)
            except OSError as error:
                raise _cannot_read(self._path, error) from error
            if not data:
                return _blocks_of(pieces + splitter.finish()), True
            self._read += len(data)
            pieces += splitter.feed(data)
        return _blocks_of(pieces), False


@asynccontextmanager
async def open_path(path: Path) -> AsyncIterator[PathSource]:
    """The regular file at `path`, open within the block. Raises `FileAccessError`."""
    descriptor, size = await trio.to_thread.run_sync(_open, path)
    try:
        yield PathSource(descriptor, path, size)
    finally:
        os.close(descriptor)


def _blocks_of(pieces: Sequence[bytes]) -> list[Block]:
    return [Block.of(piece) for piece in pieces]


def read_small(path: Path, splitter: Splitter) -> list[Block] | None:
    """The blocks of a regular file of at most 256 KiB, read at once. Blocks.

    None for any other, or one that somebody writes to meanwhile: `open_path` is for those. Raises `FileAccessError`.
    """
    descriptor, size = _open(path)
    try:
        data = os.read(descriptor, size + 1) if size <= _READ_BYTES else None
    except OSError as error:
        raise _cannot_read(path, error) from error
    finally:
        os.close(descriptor)
    if data is None or len(data) != size:
        return None
    return _blocks_of(splitter.feed(data) + splitter.finish())


def _open(path: Path) -> tuple[int, int]:
    """A descriptor of a regular file, and its size; raises `FileAccessError`."""
    try:
        # Without O_NONBLOCK opening a FIFO would wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise FileAccessError(f"no such file: {path}") from error
    except (OSError, ValueError) as error:
        raise _cannot_read(path, error) from error
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status.st_size
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise FileAccessError(f"{path} is a directory", hint="add the files in it one by one")
    raise FileAccessError(f"{path} is not a regular file", hint="pipe its content to a file first")


def _cannot_read(path: Path, error: OSError | ValueError) -> FileAccessError:
    reason = error.strerror if isinstance(error, OSError) else None
    return FileAccessError(f"cannot read {path}: {(reason or str(error)).lower()}")
