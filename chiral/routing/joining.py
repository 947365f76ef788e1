"""Joins the network: connects the bootstrap peers, looks up this node itself, refreshes the buckets beyond."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio

from chiral.clock import Clock
from chiral.errors import ChiralError, RequestTimeoutError
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import Connections
from chiral.kad.key import KadKey, raw_key_sharing_prefix
from chiral.kad.messages import Message, MessageType
from chiral.kad.refresh import MAX_REFRESH_BITS, due_buckets, silent_peers
from chiral.routing.queries import Queries
from chiral.routing.settings import KadSettings

_TRIES_PER_SLICE = 1024
_REFRESH_LOOKUPS = 4
_PROBES = 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BootstrapReport:
    """Which bootstrap peers are connected, and why the others are not."""

    connected: tuple[PeerInfo, ...]
    failed: tuple[tuple[PeerInfo, str], ...]


class Joining:
    """Fills the routing tables and keeps them fresh. `noise` gives random numbers of 256 bits."""

    def __init__(
        self,
        queries: Sequence[Queries],
        connections: Connections,
        clock: Clock,
        settings: KadSettings,
        noise: Callable[[], int],
    ) -> None:
        self._queries = queries
        self._connections = connections
        self._clock = clock
        self._settings = settings
        self._noise = noise
        self.last_refresh: float | None = None
        """When a refresh was last done, in Unix seconds."""

    async def join(self, peers: Sequence[PeerInfo]) -> BootstrapReport:
        """Connect to `peers`, ask who is near this node, and refresh what that lookup did not reach."""
        report = await self.connect(peers)
        seeds = [info.peer for info in report.connected]
        async with trio.open_nursery() as nursery:
            for queries in self._queries:
                nursery.start_soon(self._join_overlay, queries, seeds)
        return report

    async def connect(self, peers: Sequence[PeerInfo]) -> BootstrapReport:
        """Connect to all of `peers` at once; each that cannot be reached is named in the log and the report."""
        connected: list[PeerInfo] = []
        failed: list[tuple[PeerInfo, str]] = []

        async def reach(info: PeerInfo) -> None:
            try:
                with trio.move_on_after(self._settings.connect_timeout_s):
                    await self._connections.connect(info)
                    connected.append(info)
                    return
                raise RequestTimeoutError("no answer in time")
            except ChiralError as error:
                _log.warning("bootstrap peer %s cannot be used: %s", info.peer, error)
                failed.append((info, str(error)))

        async with trio.open_nursery() as nursery:
            for info in peers:
                nursery.start_soon(reach, info)
        return BootstrapReport(tuple(connected), tuple(failed))

    async def refresh(self) -> None:
        """Look up every bucket that no lookup touched for the refresh interval, and ask after silent peers."""
        async with trio.open_nursery() as nursery:
            for queries in self._queries:
                nursery.start_soon(self._refresh_overlay, queries, self._settings.refresh_s)
        self.last_refresh = self._clock.wall()

    async def probe(self, queries: Queries, peer: PeerId) -> bool:
        """Whether `peer` still answers; the table learns of it either way.

        Asks for this node's own neighbours: Rust peers do not serve the protocol's PING.
        """
        try:
            await queries.client.request(peer, Message(MessageType.FIND_NODE, queries.overlay.table.local.raw))
        except ChiralError:
            queries.overlay.evict(peer)
            return False
        queries.overlay.observe(peer)
        return True

    async def _join_overlay(self, queries: Queries, seeds: Sequence[PeerId]) -> None:
        own = Message(MessageType.FIND_NODE, queries.overlay.table.local.raw)
        lookup = await queries.seek(own, seeds=seeds)
        if not lookup.saw_everyone:
            await self._refresh_overlay(queries, 0.0)
        self.last_refresh = self._clock.wall()

    async def _refresh_overlay(self, queries: Queries, interval_s: float) -> None:
        table = queries.overlay.table
        now = self._clock.monotonic()
        buckets = due_buckets(table, now, interval_s)
        due = iter(buckets)
        # The lookups meet nearly everybody, so few are left to be asked after.
        silent = iter(silent_peers(table, now, self._settings.refresh_s, _PROBES))
        queries.overlay.renew_addrs()
        if interval_s and buckets and table.deepest > MAX_REFRESH_BITS:
            await queries.seek(Message(MessageType.FIND_NODE, table.local.raw))

        async def look_up() -> None:
            for index in due:
                key = await self._key_in_bucket(table.local_key, index)
                await queries.seek(Message(MessageType.FIND_NODE, key))

        async def ask_after() -> None:
            for peer in silent:
                await self.probe(queries, peer)

        async with trio.open_nursery() as nursery:
            for _ in range(_REFRESH_LOOKUPS):
                nursery.start_soon(look_up)
                nursery.start_soon(ask_after)

    async def _key_in_bucket(self, local: KadKey, index: int) -> bytes:
        start = self._noise()
        while True:
            key = raw_key_sharing_prefix(local, index, start, _TRIES_PER_SLICE)
            if key is not None:
                return key
            start += _TRIES_PER_SLICE
            await trio.lowlevel.checkpoint()
