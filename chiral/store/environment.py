"""The LMDB environment of one data directory: opened once, read in threads, written by one writer.

The map is reserved whole when it is opened and never resized: LMDB ends the process if that happens under a reader. No
transaction and no view of the map leaves a call of this class: a reader that stays keeps every page freed after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import lmdb
import trio

from chiral.errors import FileAccessError, StoreError
from chiral.store.backup import backups
from chiral.store.directory_lock import DirectoryLock
from chiral.store.faults import store_fault
from chiral.store.layout import clear_cut_compaction, open_layout
from chiral.store.mapped_pages import MappedPages
from chiral.store.room import DATA_FILE, MAP_RESERVE_BYTES, Room
from chiral.store.schema import MAX_TABLES, Tables, open_tables
from chiral.store.settings import StoreSettings
from chiral.store.writer import Writer

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction, ViewTransaction, WriteTransaction

T = TypeVar("T")
STORE_DIRECTORY = "store"
_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o700


class Environment:
    """The opened store, for one trio run. `read` and `write` take functions of a transaction; only these use LMDB."""

    def __init__(self, lock: DirectoryLock, handle: lmdb.Environment, directory: Path, settings: StoreSettings) -> None:
        self.directory = directory
        self.settings = settings
        self._lock = lock
        self._lmdb = handle
        self.older_backups = backups(directory.parent)
        """Those of earlier starts: what this one makes is not among them."""
        self.tables: Tables = open_layout(handle, directory, with_backup=settings.migration_backup)
        self._limiter = trio.CapacityLimiter(settings.read_threads)
        self._mapped = MappedPages(directory / DATA_FILE, settings.mapped_bytes)
        room = Room(directory, settings.map_size_bytes, settings.disk_reserve_bytes)
        self._writer = Writer(
            handle,
            directory,
            lambda txn, incoming_bytes: room.require(txn, self.tables, incoming_bytes),
            lambda: self._mapped.trim(),
            batch_bytes=settings.batch_bytes,
            queue_bytes=settings.queue_bytes,
        )
        self._reads = threading.Condition()
        self._reading = 0
        self._replacing = False
        self._closed = False

    @classmethod
    def open(cls, data_directory: Path, settings: StoreSettings | None = None) -> Environment:
        """Open or make the store in `data_directory` and lock the directory. Blocks on the disk.

        Raises `StoreLockedError`, `FileAccessError`, `StoreFullError`, and `StoreError` for a newer or foreign layout.
        """
        chosen = settings or StoreSettings()
        lock = DirectoryLock.acquire(data_directory)
        handle: lmdb.Environment | None = None
        directory = data_directory / STORE_DIRECTORY
        try:
            directory.mkdir(_DIRECTORY_MODE, exist_ok=True)
            clear_cut_compaction(directory)
            handle = _open_lmdb(directory, chosen)
            return cls(lock, handle, directory, chosen)
        except BaseException as error:
            if handle is not None:
                handle.close()
            lock.release()
            if isinstance(error, lmdb.Error):
                raise store_fault(error, directory) from error
            if isinstance(error, OSError):
                raise FileAccessError(
                    f"the store in {directory} cannot be opened: {error.strerror}",
                    hint="this user must own it and may have to free space",
                ) from error
            raise

    async def read(self, look: Callable[[ReadTransaction], T]) -> T:
        """What `look` returns of a consistent state of the store, in a thread, because the disk may be waited for."""
        result = await trio.to_thread.run_sync(partial(self._read, look), limiter=self._limiter)
        self._mapped.trim()
        return result

    def read_now(self, look: Callable[[ReadTransaction], T]) -> T:
        """The same in this thread: for little that is known to be in memory."""
        result = self._read(look)
        self._mapped.trim_now_and_then()
        return result

    async def measure(self, look: Callable[[ViewTransaction], T]) -> T:
        """As `read`, of a transaction that gives views, of which nothing may leave `look`."""
        result = await trio.to_thread.run_sync(partial(self._read, look, views=True), limiter=self._limiter)
        self._mapped.trim()
        return result

    def _read(self, look: Callable[[Any], T], *, views: bool = False) -> T:
        with self._reads:
            self._reads.wait_for(lambda: not self._replacing)
            if self._closed:
                raise StoreError("the store is closed")
            self._reading += 1
        try:
            with self._lmdb.begin(buffers=True) if views else self._lmdb.begin() as txn:
                return look(txn)
        except lmdb.Error as error:
            raise store_fault(error, self.directory) from error
        finally:
            with self._reads:
                self._reading -= 1
                self._reads.notify_all()

    async def write(
        self, apply: Callable[[WriteTransaction], T], *, size_bytes: int = 0, grows: bool = True, shield: bool = False
    ) -> T:
        """What `apply` returned, once it is durable; see `Writer.run`."""
        return await self._writer.run(apply, size_bytes=size_bytes, grows=grows, shield=shield)

    def replace_file(self, make: Callable[[lmdb.Environment], None], exchange: Callable[[], None]) -> None:
        """Let `make` write the store anew while nothing is written, then `exchange` the files while nothing is read.

        Blocks. Whatever either raises, the store is open again; if that fails, it is closed and `StoreError` raised.
        """
        with self._writer.paused():
            make(self._lmdb)
            with self._reads:
                if self._closed:
                    raise StoreError("the store is closed")
                self._replacing = True
                try:
                    self._reads.wait_for(lambda: self._reading == 0)
                    self._reopen(exchange)
                finally:
                    self._replacing = False
                    self._reads.notify_all()

    def _reopen(self, exchange: Callable[[], None]) -> None:
        try:
            self._lmdb.sync(True)
            self._mapped.release()
            self._lmdb.close()
            try:
                exchange()
            finally:
                self._lmdb = _open_lmdb(self.directory, self.settings)
                self.tables.adopt(open_tables(self._lmdb))
                self._mapped = MappedPages(self.directory / DATA_FILE, self.settings.mapped_bytes)
                self._writer.adopt(self._lmdb)
        except lmdb.Error as error:
            self._closed = True
            raise store_fault(error, self.directory) from error
        except OSError as error:
            raise StoreError(f"the new file of {self.directory} cannot take its place: {error.strerror}") from error

    def close(self) -> None:
        """Finish what is queued, wait for reads under way, close and unlock; a second call does nothing. Blocks."""
        self._writer.close()
        with self._reads:
            if self._closed:
                return
            self._closed = True
            self._reads.wait_for(lambda: self._reading == 0)
        self._mapped.release()
        try:
            self._lmdb.sync(True)  # a store that does not sync its batches is whole after a clean end all the same
        except lmdb.Error as error:
            raise store_fault(error, self.directory) from error
        finally:
            self._lmdb.close()
            self._lock.release()


def _open_lmdb(directory: Path, settings: StoreSettings) -> lmdb.Environment:
    return lmdb.Environment(
        str(directory),
        map_size=settings.map_size_bytes + MAP_RESERVE_BYTES,
        max_dbs=MAX_TABLES,
        mode=_FILE_MODE,
        sync=settings.durable,
        metasync=settings.durable,
        max_spare_txns=settings.read_threads,
        writemap=False,  # with it a full disk is a SIGBUS instead of an error
    )
