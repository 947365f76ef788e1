"""Brings back the routing tables of the last run: a saved peer is in the table again once it was asked and answered."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import trio

from chiral.clock import Clock
from chiral.errors import LocalError
from chiral.interface.peer import PeerId
from chiral.interface.streams import Connections
from chiral.kad.saved_peer import SavedPeer
from chiral.routing.joining import Joining
from chiral.routing.queries import Queries
from chiral.routing.saved_table import SavedTable
from chiral.routing.settings import KadSettings

_SAVE_S = 2.0
_log = logging.getLogger(__name__)


class Revival:
    """Loads and saves the tables of `queries`, each in its own of `tables`."""

    def __init__(
        self,
        queries: Sequence[Queries],
        tables: Sequence[SavedTable],
        joining: Joining,
        connections: Connections,
        clock: Clock,
        settings: KadSettings,
    ) -> None:
        self._pairs = tuple(zip(queries, tables, strict=True))
        self._joining = joining
        self._connections = connections
        self._clock = clock
        self._settings = settings
        self._some = trio.Event()
        self._some.set()

    def begin(self) -> None:
        """`revive` is about to be called: `some_back` waits for it from now on."""
        self._some = trio.Event()

    async def some_back(self, within_s: float) -> None:
        """Return once a saved peer has answered, none is left to ask, or after `within_s` seconds."""
        with trio.move_on_after(within_s):
            await self._some.wait()

    async def revive(self) -> int:
        """Ask the saved peers that are not in the tables, some at once, those seen last first; how many answered.

        Its own work is what is limited: a store that cannot be read is an error in the log, and no peer comes back.
        """
        back: set[PeerId] = set()
        try:
            async with trio.open_nursery() as nursery:
                for queries, table in self._pairs:
                    waiting = iter(await self._load(queries, table))
                    for _ in range(self._settings.table.revivals):
                        nursery.start_soon(self._ask, queries, waiting, back)
        finally:
            self._some.set()
        return len(back)

    async def _load(self, queries: Queries, table: SavedTable) -> list[SavedPeer]:
        try:
            saved = await table.load(self._clock.wall())
        except LocalError as error:
            _log.error("the saved routing table of %s cannot be read: %s", queries.overlay.protocol, error)
            return []
        local = queries.overlay.table.local
        return [one for one in saved if one.addrs and one.peer != local]

    async def _ask(self, queries: Queries, waiting: Iterator[SavedPeer], back: set[PeerId]) -> None:
        for saved in waiting:
            if saved.peer in queries.overlay.table:
                continue
            self._connections.add_addrs(saved.peer, saved.addrs, ttl_s=self._settings.learned_addr_ttl_s)
            if await self._joining.probe(queries, saved.peer):
                back.add(saved.peer)
                self._some.set()

    async def keep(self) -> None:
        """Save what has changed every `table.save_s` seconds, and when cancelled."""
        try:
            while True:
                await trio.sleep(self._settings.table.save_s)
                await self._save(exact=False)
        finally:
            # The end of the node is what this is for, so that does not cut it short; yet a stuck disk must not hold it.
            with trio.move_on_after(_SAVE_S, shield=True):
                await self._save(exact=True)

    async def _save(self, *, exact: bool) -> None:
        for queries, table in self._pairs:
            try:
                await table.save(queries.overlay.snapshot(), self._clock.wall(), exact=exact)
            except LocalError as error:
                _log.error("the routing table of %s cannot be saved: %s", queries.overlay.protocol, error)
