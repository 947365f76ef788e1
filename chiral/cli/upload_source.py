"""A local file, or what comes on stdin, as the parts of an upload."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from chiral.api.local_path import unreadable
from chiral.cli.client import Progress
from chiral.errors import FileAccessError

PART_BYTES = 1 << 18


def opened(file: Path) -> BinaryIO:
    """`file` for reading; a FIFO is not waited for. Raises `FileAccessError`."""
    try:
        return open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise unreadable(file, error) from error


def parts(source: BinaryIO, size: int | None, progress: Progress, part_bytes: int = PART_BYTES) -> Iterator[bytes]:
    """All of `source`, telling `progress` how much of `size` bytes is done; raises `FileAccessError`."""
    done = 0
    while True:
        try:
            part = source.read(part_bytes)
        except OSError as error:
            raise FileAccessError(f"cannot read {source.name}: {error.strerror}") from error
        if not part:
            return
        done += len(part)
        yield part
        progress(done, size)
