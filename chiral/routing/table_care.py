"""Cares for the routing tables: fills them at a start, keeps them fresh and saved, and this node in its right mode."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from chiral.clock import Clock
from chiral.interface.peer import PeerInfo
from chiral.kad.neighbourhood import Neighbourhood
from chiral.routing.announcer import Announcer
from chiral.routing.joining import Joining
from chiral.routing.queries import Queries
from chiral.routing.revival import Revival
from chiral.routing.serving import Serving
from chiral.routing.settings import KadSettings

_PROBE_TASKS = 4
_LOOK_S = 30.0
_FIRST_LOOK_S = 1.0
_REANNOUNCE_S = 600.0
"""How long neighbours may go on changing before all keys are announced again once more."""
_REJOIN_S = 5.0
_REJOIN_CAP_S = 900.0


class TableCare:
    """The background tasks of the routing tables; `run` owns them all."""

    def __init__(
        self,
        queries: Sequence[Queries],
        joining: Joining,
        revival: Revival,
        serving: Serving,
        clock: Clock,
        settings: KadSettings,
    ) -> None:
        self._queries = queries
        self._joining = joining
        self._revival = revival
        self._serving = serving
        self._clock = clock
        self._settings = settings
        self._nearby = [Neighbourhood(settings.k, _REANNOUNCE_S) for _ in queries]
        self.bootstrap_peers: tuple[PeerInfo, ...] = ()
        """Whom to go back to when every table is empty."""

    def begin(self) -> None:
        """`run` is about to be called: `revived` waits for the peers of the last run from now on."""
        self._revival.begin()

    async def run(self, announcer: Announcer) -> None:
        """Work until cancelled; what is left in the tables then is saved."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._revive, announcer)
            nursery.start_soon(self._revival.keep)
            nursery.start_soon(self._refresh, announcer)
            nursery.start_soon(self._rejoin, announcer)
            nursery.start_soon(self._watch, announcer)
            for queries in self._queries:
                for _ in range(_PROBE_TASKS):
                    nursery.start_soon(self._ask_doubted, queries)

    async def revived(self) -> None:
        """Join through the first peer of the last run that answers; waits for that no longer than for a connection."""
        await self._revival.some_back(self._settings.connect_timeout_s)
        if self._has_peers():
            await self._joining.join(())

    def _has_peers(self) -> bool:
        return any(len(queries.overlay.table) for queries in self._queries)

    async def _revive(self, announcer: Announcer) -> None:
        if await self._revival.revive():
            await self._joining.join(())
            announcer.hasten(1)

    async def _ask_doubted(self, queries: Queries) -> None:
        async for peer in queries.overlay.doubts.clone():
            await self._joining.probe(queries, peer)

    async def _refresh(self, announcer: Announcer) -> None:
        while True:
            # Often enough that no bucket waits much longer than the interval, and jobs do not bunch up.
            await trio.sleep(self._settings.refresh_s / 4)
            await self._joining.refresh()
            # In a network that has grown since, too few peers hold what was announced when it was small.
            known = max(len(queries.overlay.table) for queries in self._queries)
            announcer.hasten(min(known, self._settings.k) // 2)

    async def _rejoin(self, announcer: Announcer) -> None:
        """With every table empty go back to the bootstrap peers, and to those saved where that is of no use."""
        wait_s = _REJOIN_S
        while True:
            if self._has_peers():
                wait_s = _REJOIN_S
                await trio.sleep(_LOOK_S)
                continue
            await trio.sleep(wait_s)
            if self.bootstrap_peers:
                await self._joining.join(self.bootstrap_peers)
            if not self._has_peers():
                await self._revive(announcer)
            wait_s = min(_REJOIN_CAP_S, wait_s * 2)

    async def _watch(self, announcer: Announcer) -> None:
        """See to the mode of this node, and to what is announced when its neighbours have become others."""
        wait_s = _FIRST_LOOK_S
        while True:
            self._serving.look()
            now = self._clock.monotonic()
            for queries, nearby in zip(self._queries, self._nearby, strict=True):
                table = queries.overlay.table
                if nearby.look(table.closest(table.local_key, self._settings.k), now):
                    # Nothing is known of the neighbours of other keys, but they will have changed as much as one's own.
                    announcer.neighbourhood_changed(table.local_key, 0)
            await trio.sleep(wait_s)
            wait_s = min(_LOOK_S, wait_s * 2)
