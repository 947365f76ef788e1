"""What keeps a store in order while a node runs: verification, quarantine, compaction, and old backups."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trio

from chiral.clock import Clock
from chiral.errors import FileAccessError, StoreError
from chiral.store.backup import backups, remove_backups
from chiral.store.block_check import BlockCheck
from chiral.store.compaction import Compactor
from chiral.store.environment import Environment
from chiral.store.quarantine import Quarantine
from chiral.store.remote_check import RemoteBlockCheck
from chiral.store.room import DATA_FILE
from chiral.store.store import Store
from chiral.store.verifier import Fetch, Verifier

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The parts, and `run`, the task that works in the background."""

    environment: Environment
    verifier: Verifier
    quarantine: Quarantine
    compactor: Compactor

    @classmethod
    def of(cls, store: Store, clock: Clock, fetch: Fetch | None = None) -> Self:
        """That of an open store; `fetch` gives blocks anew."""
        environment = store.environment
        quarantine = Quarantine(environment)
        remote = environment.settings.blocks != "lmdb"
        check = RemoteBlockCheck(store.blocks, environment) if remote else BlockCheck(environment)
        verifier = Verifier(check, quarantine, store.blocks, store.state, environment.settings, clock, fetch)
        return cls(environment, verifier, quarantine, Compactor(environment))

    async def run(self) -> None:
        """Verify when due or asked. The backups of earlier starts go first: the store has opened without them."""
        await self._remove(self.environment.older_backups)
        await self.verifier.run()

    def disk_bytes(self) -> int:
        """The size of the store's file; raises `StoreError` if it is out of reach."""
        try:
            return (self.environment.directory / DATA_FILE).stat().st_size
        except OSError as error:
            raise StoreError(f"the store's file is out of reach: {error.strerror}") from error

    def backups(self) -> list[Path]:
        """The backups made before the layout changed, the oldest first."""
        return backups(self.environment.directory.parent)

    async def remove_backups(self) -> int:
        """Remove them; returns how many bytes they took. Raises `FileAccessError`."""
        return await trio.to_thread.run_sync(remove_backups, self.backups())

    async def _remove(self, found: list[Path]) -> None:
        if not found:
            return
        try:
            freed = await trio.to_thread.run_sync(remove_backups, found)
        except FileAccessError as error:
            logger.warning("%s", error)
        else:
            logger.info("removed %d backups of an older layout, %d MiB", len(found), freed >> 20)
