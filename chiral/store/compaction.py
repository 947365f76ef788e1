"""Compaction: the store is written anew without its free pages, and the new file takes the old one's place.

Writes wait meanwhile and reads go on, but for the instant in which the files change places. Killed at any time, the
directory holds one whole store under its name: the copy is on the disk before it is renamed over the original.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from chiral.errors import StoreError
from chiral.store.copying import copy_store, sync_directory
from chiral.store.layout import COMPACTING_DIRECTORY
from chiral.store.room import DATA_FILE

if TYPE_CHECKING:
    import lmdb

    from chiral.store.environment import Environment


@dataclass(frozen=True, slots=True)
class Compacted:
    """The file's size in bytes before and after."""

    before_bytes: int
    after_bytes: int


class Compactor:
    """Compacts one environment, once at a time."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._busy = False

    async def compact(self) -> Compacted:
        """Once begun it goes on to its end though cancelled.

        Raises `StoreFullError` where the disk has no room for the copy and `StoreError`; the store is as it was then.
        """
        if self._busy:
            raise StoreError("the store is being compacted already", hint="wait for that to end")
        self._busy = True
        try:
            return await trio.to_thread.run_sync(self._compact)
        finally:
            self._busy = False

    def copied_bytes(self) -> int:
        """How far the compaction under way has come; 0 if there is none."""
        try:
            return (self._directory / COMPACTING_DIRECTORY / DATA_FILE).stat().st_size
        except OSError:
            return 0

    @property
    def _directory(self) -> Path:
        return self._environment.directory

    def _compact(self) -> Compacted:
        file = self._directory / DATA_FILE
        target = self._directory / COMPACTING_DIRECTORY

        def make(handle: lmdb.Environment) -> None:
            hint = "free some space on the disk first"
            copy_store(handle, self._directory, target, "the copy that compaction makes", hint)

        def exchange() -> None:
            (target / DATA_FILE).replace(file)
            sync_directory(self._directory)

        before = file.stat().st_size
        try:
            self._environment.replace_file(make, exchange)
        finally:
            shutil.rmtree(target, ignore_errors=True)
        return Compacted(before, file.stat().st_size)
