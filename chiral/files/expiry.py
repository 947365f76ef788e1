"""Removes files whose time has come, as if somebody had removed them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.errors import ChiralError, NotFoundError
from chiral.interface.catalogue import Catalogue

logger = logging.getLogger(__name__)

SWEEP_INTERVAL_S = 30.0
_AT_ONCE = 256


class Expiry:
    """Sweeps one catalogue. `remove` is what forgets a file, its blocks and its announcements."""

    def __init__(self, catalogue: Catalogue, remove: Callable[[CID], Awaitable[object]], clock: Clock) -> None:
        self._catalogue = catalogue
        self._remove = remove
        self._clock = clock
        self._kept: set[CID] = set()
        """Expired, but could not be removed: told of once."""

    async def run(self) -> None:
        """Sweep every thirty seconds until cancelled."""
        while True:
            try:
                await self.sweep()
            except ChiralError as error:
                logger.warning("expired files could not be looked for: %s", error)
            await trio.sleep(SWEEP_INTERVAL_S)

    async def sweep(self) -> int:
        """Remove what has expired by now; how many that were. What cannot be removed is tried again next time.

        Raises `StoreError` if the catalogue cannot be read.
        """
        removed = 0
        stay: set[CID] = set()
        tried: set[CID] = set()
        while True:
            due = await self._catalogue.expired(self._clock.wall(), _AT_ONCE + len(stay))
            fresh = [root for root in due if root not in tried]
            tried.update(fresh)
            for root in fresh:
                if await self._expire(root):
                    removed += 1
                else:
                    stay.add(root)
            if not fresh:
                self._kept &= stay
                return removed

    async def _expire(self, root: CID) -> bool:
        record = await self._catalogue.get(root)
        if record is None or record.expires_at is None or record.expires_at > self._clock.wall():
            return False  # given more time meanwhile
        try:
            await self._remove(root)
        except NotFoundError:
            return False
        except ChiralError as error:
            if root not in self._kept:
                logger.warning("%s has expired but stays: %s", root, error)
            self._kept.add(root)
            return False
        logger.info("%s (%s) has expired and is removed", root, record.name)
        return True
