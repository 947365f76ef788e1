"""Backups of the store before its layout changes: made beside it, listed, removed."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import lmdb

from chiral.clock import SystemClock
from chiral.errors import FileAccessError
from chiral.store.copying import copy_store, sync_directory

_NAME = re.compile(r"backup-v\d+-\d{8}T\d{6}Z")
_PARTIAL = ".partial"


def back_up(environment: lmdb.Environment, directory: Path, version: int) -> Path:
    """Copy the store in `directory`, of layout `version`, to `backup-vN-TIME` beside it; returns that directory.

    It is a store's directory itself: put in the other's place it opens. Raises `StoreFullError` and `StoreError`.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(SystemClock().wall()))
    target = directory.with_name(f"backup-v{version}-{stamp}")
    partial = target.with_name(target.name + _PARTIAL)
    copy_store(
        environment,
        directory,
        partial,
        "a backup before the store's layout changes",
        "free some space, or start once with store.migration_backup = false",
    )
    try:
        partial.replace(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise FileAccessError(f"the backup {target} cannot be named: {error.strerror}") from error
    sync_directory(target.parent)
    return target


def backups(data_directory: Path) -> list[Path]:
    """The backups in `data_directory`, the oldest first; what a cut one left behind is removed."""
    found: list[Path] = []
    for path in sorted(data_directory.glob("backup-v*")):
        if _NAME.fullmatch(path.name):
            found.append(path)
        elif path.name.endswith(_PARTIAL) and _NAME.fullmatch(path.name.removesuffix(_PARTIAL)):
            shutil.rmtree(path, ignore_errors=True)
    return found


def remove_backups(found: list[Path]) -> int:
    """Remove the backups; returns how many bytes they had. Raises `FileAccessError` for one that cannot be."""
    freed = 0
    for path in found:
        freed += sum(file.stat().st_size for file in path.iterdir() if file.is_file())
        try:
            shutil.rmtree(path)
        except OSError as error:
            raise FileAccessError(f"the backup {path} cannot be removed: {error.strerror}") from error
    return freed
