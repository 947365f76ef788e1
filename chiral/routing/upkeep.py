"""What goes on behind: doubted peers are asked, buckets refreshed, own keys announced again, expired records swept."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import trio

from chiral.clock import Clock
from chiral.errors import LocalError
from chiral.interface.peer import PeerInfo
from chiral.interface.providers import ProviderStore
from chiral.interface.values import ValueStore
from chiral.routing.announcer import Announcer
from chiral.routing.joining import Joining
from chiral.routing.own_keys import OwnKeys
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings

_PROBE_TASKS = 4
_REPUBLISH_KEYS = 1000
_SWEEP_RECORDS = 10_000
_LOOK_S = 30.0
_REJOIN_S = 5.0
_REJOIN_CAP_S = 900.0
_log = logging.getLogger(__name__)


class Upkeep:
    """The background tasks of a DHT node; `run` owns them all."""

    def __init__(
        self,
        queries: Sequence[Queries],
        joining: Joining,
        announcer: Announcer,
        own: OwnKeys,
        stores: tuple[ProviderStore, ValueStore],
        clock: Clock,
        settings: KadSettings,
    ) -> None:
        self._queries = queries
        self._joining = joining
        self._announcer = announcer
        self._own = own
        self._providers, self._values = stores
        self._clock = clock
        self._settings = settings
        self._due_changed = trio.Event()
        self.bootstrap_peers: tuple[PeerInfo, ...] = ()
        """Whom to go back to when every table is empty."""

    async def run(self) -> None:
        """Work until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._refresh)
            nursery.start_soon(self._rejoin)
            nursery.start_soon(self._republish)
            nursery.start_soon(self._sweep)
            for queries in self._queries:
                for _ in range(_PROBE_TASKS):
                    nursery.start_soon(self._ask_doubted, queries)

    def peers_appeared(self) -> None:
        """A table is no longer empty: what could not be announced before can be now."""
        self._hasten(1)

    def keys_changed(self) -> None:
        """Own keys were added: the next may be due earlier than thought."""
        self._due_changed.set()

    def _hasten(self, below: int) -> None:
        self._own.hasten(self._clock.wall(), below)
        self.keys_changed()

    async def _ask_doubted(self, queries: Queries) -> None:
        async for peer in queries.overlay.doubts.clone():
            await self._joining.probe(queries, peer)

    async def _refresh(self) -> None:
        while True:
            # Often enough that no bucket waits much longer than the interval, and jobs do not bunch up.
            await trio.sleep(self._settings.refresh_s / 4)
            await self._joining.refresh()
            # In a network that has grown since, too few peers hold what was announced when it was small.
            known = max(len(queries.overlay.table) for queries in self._queries)
            self._hasten(min(known, self._settings.k) // 2)

    async def _rejoin(self) -> None:
        wait_s = _REJOIN_S
        while True:
            if any(len(queries.overlay.table) for queries in self._queries) or not self.bootstrap_peers:
                wait_s = _REJOIN_S
                await trio.sleep(_LOOK_S)
                continue
            await trio.sleep(wait_s)
            await self._joining.join(self.bootstrap_peers)
            wait_s = min(_REJOIN_CAP_S, wait_s * 2)

    async def _republish(self) -> None:
        while True:
            self._due_changed = trio.Event()
            keys = self._own.due(self._clock.wall(), _REPUBLISH_KEYS)
            if keys:
                await self._announcer.announce(keys)
                continue
            due_at = self._own.next_due()
            wait_s = float("inf") if due_at is None else max(0.0, due_at - self._clock.wall())
            with trio.move_on_after(wait_s):
                await self._due_changed.wait()

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(self._settings.sweep_s)
            try:
                await self._sweep_once()
            except LocalError as error:
                _log.error("expired DHT records could not be swept: %s", error)

    async def _sweep_once(self) -> None:
        now = self._clock.wall()
        while await self._providers.sweep(now, _SWEEP_RECORDS) >= _SWEEP_RECORDS:
            await trio.lowlevel.checkpoint()
        while await self._values.sweep(now, _SWEEP_RECORDS) >= _SWEEP_RECORDS:
            await trio.lowlevel.checkpoint()
