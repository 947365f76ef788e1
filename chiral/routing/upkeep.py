"""What goes on behind: the tables are cared for, own keys announced again, expired records swept."""

from __future__ import annotations

import logging

import trio

from chiral.clock import Clock
from chiral.errors import LocalError
from chiral.interface.peer import PeerInfo
from chiral.interface.providers import ProviderStore
from chiral.interface.values import ValueStore
from chiral.routing.announcer import Announcer
from chiral.routing.settings import KadSettings
from chiral.routing.table_care import TableCare

_SWEEP_RECORDS = 10_000
_log = logging.getLogger(__name__)


class Upkeep:
    """The background tasks of a DHT node; `run` owns them all."""

    def __init__(
        self,
        care: TableCare,
        announcer: Announcer,
        stores: tuple[ProviderStore, ValueStore],
        clock: Clock,
        settings: KadSettings,
    ) -> None:
        self._care = care
        self._announcer = announcer
        self._providers, self._values = stores
        self._clock = clock
        self._settings = settings

    @property
    def bootstrap_peers(self) -> tuple[PeerInfo, ...]:
        """Whom to go back to when every table is empty."""
        return self._care.bootstrap_peers

    @bootstrap_peers.setter
    def bootstrap_peers(self, peers: tuple[PeerInfo, ...]) -> None:
        self._care.bootstrap_peers = peers

    async def revived(self) -> None:
        """Join through a peer of the last run, if one answers soon."""
        await self._care.revived()

    async def run(self) -> None:
        """Work until cancelled."""
        self._care.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._care.run, self._announcer)
            nursery.start_soon(self._announcer.run)
            nursery.start_soon(self._sweep)

    def peers_appeared(self) -> None:
        """A table is no longer empty: what could not be announced before can be now."""
        self._announcer.hasten(1)

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
