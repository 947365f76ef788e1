"""Takes the DHT's figures: asks each part for its own, and lists who is in the routing tables. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.clock import Clock
from chiral.interface.peer import PeerId
from chiral.interface.streams import ConnectionInfo, Connections
from chiral.kad.bucket import Entry
from chiral.routing.assembly import Assembly, Ports
from chiral.routing.overlay import Overlay
from chiral.routing.stats import KadStats, OverlayStats


@dataclass(frozen=True, slots=True)
class TablePeer:
    """A peer of a routing table. `added_at` and `seen_at` are Unix seconds.

    `bucket` is how many leading bits its point shares with this node's. `agent` and `latency_s` (seconds) are known
    only of peers that are connected now, else empty and None; `addrs` are binary multiaddrs.
    """

    protocol: str
    bucket: int
    peer: PeerId
    addrs: tuple[bytes, ...]
    connected: bool
    agent: str
    latency_s: float | None
    added_at: float
    seen_at: float


class Census:
    """Figures of one DHT node at the moment they are asked for."""

    def __init__(self, ports: Ports, parts: Assembly) -> None:
        self._ports = ports
        self._parts = parts

    async def take(self) -> KadStats:
        """How the DHT stands now; raises a `LocalError` if a store fails."""
        parts, counter = self._parts, self._parts.counter
        overlays = [queries.overlay for queries in parts.queries]
        return KadStats(
            mode="server" if parts.serving.active else "client",
            reachability=parts.serving.reachability,
            overlays=tuple(_overlay_stats(overlay) for overlay in overlays),
            peers=len({entry.peer for overlay in overlays for entry in overlay.table}),
            provider_records=await self._ports.providers.count(),
            providers_known=len(parts.searches.cache),
            value_records=await self._ports.values.count(),
            own_values=len(parts.values.own),
            own_announced=len(parts.own),
            own_pending=parts.own.pending,
            announcing=parts.announcer.stats(),
            queries_active=counter.active,
            queries_done=counter.done,
            queries_failed=counter.failed,
            query_latency=parts.latencies.quantiles(),
            last_refresh=parts.joining.last_refresh,
            refusals=parts.refusals.snapshot(),
        )

    def table(self) -> list[TablePeer]:
        """The peers of every table, a protocol after another, farthest bucket first, last seen longest ago first."""
        connected = {info.peer: info for info in self._ports.connections.connections()}
        overlays = [queries.overlay for queries in self._parts.queries]
        return [
            _table_peer(overlay, entry, connected.get(entry.peer), self._ports.connections, self._ports.clock)
            for overlay in overlays
            for entry in overlay.table
        ]


def _overlay_stats(overlay: Overlay) -> OverlayStats:
    return OverlayStats(overlay.protocol, len(overlay.table), overlay.table.counts())


def _table_peer(
    overlay: Overlay, entry: Entry, live: ConnectionInfo | None, connections: Connections, clock: Clock
) -> TablePeer:
    # The table reckons on the monotonic hand, which says nothing to anybody outside this process.
    offset = clock.wall() - clock.monotonic()
    return TablePeer(
        protocol=overlay.protocol,
        bucket=overlay.table.bucket_index(entry.key),
        peer=entry.peer,
        addrs=connections.addrs_of(entry.peer),
        connected=live is not None,
        agent="" if live is None else live.agent,
        latency_s=None if live is None else live.latency_s,
        added_at=entry.added_at + offset,
        seen_at=entry.seen_at + offset,
    )
