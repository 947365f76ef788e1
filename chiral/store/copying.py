"""Copies a whole store into a new file beside it: without the pages that are free, on the disk when it returns."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import lmdb

from chiral.errors import StoreError, StoreFullError
from chiral.store.faults import store_fault
from chiral.store.room import DATA_FILE

_MODE = 0o700
_FILE_MODE = 0o600
_SLACK_BYTES = 1 << 20


def copy_store(environment: lmdb.Environment, source: Path, target: Path, purpose: str, hint: str) -> Path:
    """Copy `environment`, which lies in `source`, into the directory `target`, which is made anew; returns the file.

    What is written meanwhile is not in it. Raises `StoreFullError` where there is no room for `purpose`, before or
    while it is written, and `StoreError`; nothing is left of a copy that failed.
    """
    shutil.rmtree(target, ignore_errors=True)
    try:
        _require_space(environment, source, purpose, hint)
        target.mkdir(_MODE)
        descriptor = os.open(target / DATA_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
        try:
            environment.copyfd(descriptor, compact=True)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(target)
    except BaseException as error:
        shutil.rmtree(target, ignore_errors=True)
        if isinstance(error, lmdb.Error):
            raise store_fault(error, source) from error
        if isinstance(error, OSError):
            raise StoreError(f"{purpose} in {target} cannot be written: {error.strerror}") from error
        raise
    return target / DATA_FILE


def used_bytes(environment: lmdb.Environment, source: Path) -> int:
    """An upper bound of the bytes a copy takes: the pages ever used, or what the file has."""
    info, stat = environment.info(), environment.stat()
    return min(int(info["last_pgno"] + 1) * int(stat["psize"]), (source / DATA_FILE).stat().st_size)


def sync_directory(directory: Path) -> None:
    """What was made, renamed or removed in `directory` is so after a power cut too, where the system can promise it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _require_space(environment: lmdb.Environment, source: Path, purpose: str, hint: str) -> None:
    needed = used_bytes(environment, source) + _SLACK_BYTES
    disk = os.statvfs(source)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise StoreFullError(
            f"{purpose} may need {needed >> 20} MiB on the disk under {source}, of which {free >> 20} MiB are free",
            hint=hint,
        )
