"""Begins collections, when asked to and by itself when the store is full; one at a time, each to be watched."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import trio

from chiral.errors import ChiralError, CollectionBusyError, StoreError
from chiral.interface.datastore import Datastore
from chiral.pinning.collection import Collection, ProgressStore, at_rest
from chiral.pinning.pace import Pace
from chiral.pinning.progress import CollectionProgress
from chiral.pinning.roots import Keepers
from chiral.pinning.settings import CollectionSettings

logger = logging.getLogger(__name__)

_MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """`running` is None while no collection goes on, `last` until one has come to its end."""

    running: CollectionProgress | None
    last: CollectionProgress | None


@dataclass(slots=True, eq=False)
class _Asked:
    """A collection that was asked for: its progress so far, and once `over` is set its fault."""

    dry_run: bool
    by_level: bool = False
    progress: CollectionProgress | None = None
    changed: trio.Event = field(default_factory=trio.Event)
    over: bool = False
    fault: ChiralError | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def tell(self, progress: CollectionProgress) -> None:
        self.progress = progress
        self._wake()

    def end(self) -> None:
        self.over = True
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


class Collector:
    """One node's. `run` is its life; collections belong to it, not to whoever asked for them."""

    def __init__(self, keepers: Keepers, state: Datastore, settings: CollectionSettings, *, quota_bytes: int) -> None:
        self._keepers = keepers
        self._store = ProgressStore(state)
        self._settings = settings
        self._levels = settings.levels(quota_bytes)
        self._waiting: _Asked | None = None
        self._running: _Asked | None = None
        self._wake = trio.Event()
        self._last: CollectionProgress | None = None
        self._idle_since = 0.0

    async def run(self) -> None:
        """Collect when it is asked for or due, until cancelled; one cut short by the last restart is gone on with."""
        self._idle_since = self._keepers.clock.monotonic()
        await self._remember()
        while True:
            asked = await self._next()
            self._running, self._waiting = asked, None
            try:
                await self._collect(asked)
            finally:
                self._running = None
                self._idle_since = self._keepers.clock.monotonic()
                asked.end()

    async def _remember(self) -> None:
        """What the store knows of collections of earlier runs of the node."""
        try:
            self._last = await self._store.last()
            cut_short = await self._store.under_way() is not None
        except StoreError as error:
            logger.warning("what earlier collections came to cannot be read: %s", error)
            return
        if cut_short and self._waiting is None:
            self._waiting = _Asked(dry_run=False)

    async def collect(self, *, dry_run: bool = False) -> AsyncGenerator[CollectionProgress, None]:
        """Begin a collection and yield how far it has come, the last time when it is done; leaving does not stop it.

        Raises `CollectionBusyError` if one goes on already, `StoreError` if it was stopped, and what ends a collection.
        """
        asked = self._ask(dry_run)
        while True:
            seen, changed = asked.progress, asked.changed
            if seen is not None:
                yield seen
            if asked.over and asked.progress is seen:
                break
            if asked.progress is seen:
                await changed.wait()
        if asked.fault is not None:
            raise asked.fault
        if asked.progress is None or asked.progress.phase != "done":
            raise StoreError("the collection was stopped", hint="the next one goes on where it was")

    def start(self, *, dry_run: bool = False) -> None:
        """Begin a collection and return; raises `CollectionBusyError` if one goes on already."""
        self._ask(dry_run)

    def stop(self) -> bool:
        """Stop the collection that goes on, within a slice; the next one goes on where it was. False if none does."""
        asked = self._running or self._waiting
        if asked is None:
            return False
        asked.scope.cancel()
        return True

    def status(self) -> CollectionStatus:
        """What goes on now and what the last collection came to."""
        return CollectionStatus(None if self._running is None else self._running.progress, self._last)

    def require_idle(self) -> None:
        """Raise `CollectionBusyError` if a collection goes on."""
        if self._running is not None or self._waiting is not None:
            raise CollectionBusyError("a collection goes on already", hint="'chiral gc --status' shows how far it is")

    def _ask(self, dry_run: bool) -> _Asked:
        self.require_idle()
        self._waiting = asked = _Asked(dry_run)
        self._wake.set()
        return asked

    async def _next(self) -> _Asked:
        """The next collection, once it is asked for or due."""
        while self._waiting is None:
            self._wake = trio.Event()
            with trio.move_on_after(self._settings.check_s) as pause:
                if self._levels.off:
                    pause.deadline = float("inf")
                await self._wake.wait()
            due = await self._due()
            if self._waiting is None and due is not None:
                return due
        return self._waiting

    async def _due(self) -> _Asked | None:
        """A collection that should begin by itself now."""
        if self._levels.off:
            return None
        try:
            held = await self._keepers.blocks.stats()
        except StoreError as error:
            logger.warning("whether a collection is due cannot be told: %s", error)
            return None
        idle_s = self._keepers.clock.monotonic() - self._idle_since
        left = None if self._last is None else self._last.held_bytes
        size = at_rest(held)
        if not self._levels.due(size, since_last_s=idle_s, left_by_last=left):
            return None
        return _Asked(dry_run=False, by_level=0 < self._levels.high <= size)

    async def _collect(self, asked: _Asked) -> None:
        enough = self._levels if asked.by_level and self._levels.low else None
        pace = Pace(self._settings.slice_ms / _MS_PER_S, self._settings.share)
        collection = Collection(self._keepers, self._store, pace, asked.tell, dry_run=asked.dry_run, enough=enough)
        with asked.scope:
            try:
                ended = await collection.run()
            except ChiralError as error:
                logger.warning("a collection ended early: %s", error)
                asked.fault = error
                return
            if not ended.dry_run:
                self._last = ended
                logger.info("collected %d blocks of %d bytes", ended.freed_blocks, ended.freed_bytes)
