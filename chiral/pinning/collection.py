"""One collection from its marks to its last slice, its progress kept so that one cut short goes on after a restart."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import trio

from chiral.errors import StoreFullError
from chiral.interface.blockstore import BlockstoreStats
from chiral.interface.datastore import Datastore
from chiral.pinning.levels import Levels
from chiral.pinning.pace import Pace
from chiral.pinning.progress import CollectionProgress
from chiral.pinning.roots import Keepers, mark
from chiral.pinning.sweep import Sweep

logger = logging.getLogger(__name__)

_TABLE = "collection"
_UNDER_WAY, _LAST = b"under way", b"last"
_SAVE_S = 2.0
_LOOK_S = 1.0
"""How often a collection that began by level looks whether it has done enough."""

Told = Callable[[CollectionProgress], None]


class ProgressStore:
    """Where the progress of the collection under way and the result of the last are kept."""

    def __init__(self, state: Datastore) -> None:
        self._state = state

    async def under_way(self) -> CollectionProgress | None:
        """The collection that was cut short, if there is one."""
        return await self._read(_UNDER_WAY)

    async def last(self) -> CollectionProgress | None:
        """What the last one that came to its end came to."""
        return await self._read(_LAST)

    async def save(self, progress: CollectionProgress) -> None:
        """Note how far one has come; of a dry run nothing is noted, nor on a full disk: freeing room goes first."""
        if progress.dry_run:
            return
        done = progress.phase == "done"
        noted = {_LAST: progress.to_json(), _UNDER_WAY: None} if done else {_UNDER_WAY: progress.to_json()}
        try:
            await self._state.put_many(_TABLE, noted)
        except StoreFullError as error:
            logger.debug("a collection goes on without noting it: %s", error)

    async def _read(self, key: bytes) -> CollectionProgress | None:
        data = await self._state.get(_TABLE, key)
        return None if data is None else CollectionProgress.from_json(data)


class Collection:
    """A collection to `run` once. What blocks it looked at before it was cut short it does not look at again.

    Marks do not outlive the process: they are made anew, because what is kept may have changed, and blocks behind the
    position are judged by the new ones.
    """

    def __init__(
        self, keepers: Keepers, store: ProgressStore, pace: Pace, told: Told, *, dry_run: bool, enough: Levels | None
    ) -> None:
        self._keepers = keepers
        self._store = store
        self._pace = pace
        self._told = told
        self._dry_run = dry_run
        self._enough = enough
        self._saved_at = self._looked_at = keepers.clock.monotonic()

    async def run(self) -> CollectionProgress:
        """Mark and sweep; returns what it came to. Cancelled or failed, it may be gone on with by the next one.

        Raises as `mark` does, and `StoreError`.
        """
        async with self._keepers.uses.collecting():
            progress = await self._begin()
            self._told(progress)
            marks = await mark(self._keepers, self._pace, self._marked(progress))
            progress = replace(progress, phase="sweeping", marked=len(marks))
            sweep = Sweep(self._keepers, marks, progress.position, dry_run=self._dry_run)
            progress = await self._sweep(sweep, progress)
        return await self._end(progress)

    async def _begin(self) -> CollectionProgress:
        before = None if self._dry_run else await self._store.under_way()
        held = await self._keepers.blocks.stats()
        if before is not None:
            return replace(before, phase="marking", blocks=held.blocks + before.freed_blocks, resumed=True)
        now = self._keepers.clock.wall()
        return CollectionProgress("marking", self._dry_run, now, blocks=held.blocks)

    def _marked(self, progress: CollectionProgress) -> Callable[[int], None]:
        return lambda count: self._told(replace(progress, marked=count))

    async def _sweep(self, sweep: Sweep, progress: CollectionProgress) -> CollectionProgress:
        clock = self._keepers.clock
        await self._store.save(progress)
        more = True
        while more:
            began = clock.monotonic()
            looked_at = await sweep.look(self._pace.blocks)
            rest_s = self._pace.took(clock.monotonic() - began)
            progress = replace(progress, examined=progress.examined + looked_at)
            more = looked_at > 0
            if sweep.full or not more:
                began = clock.monotonic()
                blocks, size_bytes = await sweep.remove()
                progress = progress.freed(sweep.position, blocks, size_bytes)
                rest_s += self._pace.rest(clock.monotonic() - began)
                more = more and not await self._is_enough()
                await self._save_now_and_then(progress)
            self._told(progress)
            await trio.sleep(rest_s)
        return progress

    async def _is_enough(self) -> bool:
        now = self._keepers.clock.monotonic()
        if self._enough is None or now < self._looked_at + _LOOK_S:
            return False
        self._looked_at = now
        return self._enough.enough(at_rest(await self._keepers.blocks.stats()))

    async def _save_now_and_then(self, progress: CollectionProgress) -> None:
        now = self._keepers.clock.monotonic()
        if now >= self._saved_at + _SAVE_S:
            self._saved_at = now
            await self._store.save(progress)

    async def _end(self, progress: CollectionProgress) -> CollectionProgress:
        held = await self._keepers.blocks.stats()
        ended = replace(
            progress, phase="done", finished_at=self._keepers.clock.wall(), held_bytes=at_rest(held), position=b""
        )
        await self._store.save(ended)
        self._told(ended)
        return ended


def at_rest(held: BlockstoreStats) -> int:
    """What blocks take on the disk, in bytes: what levels and quotas are about."""
    return held.size_bytes if held.rest_bytes is None else held.rest_bytes
