"""Fakes of the DHT and of the connections as people ask for them: fixed peers, values in memory, stalls on call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import trio

from chiral.errors import PeerUnreachableError, UsageError
from chiral.host.addresses import parse_address
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import ConnectionInfo
from chiral.interface.values import QuorumError, RecordFound, RecordPut
from chiral.kad.quorum import Quorum, votes_needed
from chiral.routing.announce_stats import AnnounceStats
from chiral.routing.census import TablePeer
from chiral.routing.joining import BootstrapReport
from chiral.routing.latencies import LatencyQuantiles
from chiral.routing.refusals import Refusals
from chiral.routing.stats import KadStats, OverlayStats

OTHER_PEER = PeerId.parse("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5")
OTHER_ADDR = parse_address("/ip4/127.0.0.1/tcp/4001")


def peer_of(seed: int) -> PeerId:
    """A peer id that nobody has the key of."""
    return PeerId(b"\x12\x20" + hashlib.sha256(bytes([seed])).digest())


PROTOCOL = "/fake/kad"
BUCKETS = (20, 3, 0, 0, 1, *(0,) * 251)
DEAD = peer_of(8)


def figures() -> KadStats:
    """Some figures of a DHT."""
    return KadStats(
        mode="server",
        reachability="unknown",
        overlays=(OverlayStats(PROTOCOL, 24, BUCKETS),),
        peers=24,
        provider_records=31,
        providers_known=5,
        value_records=2,
        own_values=1,
        own_announced=12,
        own_pending=3,
        announcing=AnnounceStats(12, 3, 2, behind_s=7300.0, keeping_up=False),
        queries_active=1,
        queries_done=7,
        queries_failed=2,
        query_latency=LatencyQuantiles(9, 0.0015, 0.02, 1.25),
        last_refresh=1_700_000_000.0,
        refusals=Refusals(rate=4, slowed=9),
    )


def table_peer(number: int) -> TablePeer:
    """A peer of a routing table; only the first is connected."""
    live = number == 0
    return TablePeer(
        protocol=PROTOCOL,
        bucket=number // 2,
        peer=OTHER_PEER if live else peer_of(number),
        addrs=(OTHER_ADDR,),
        connected=live,
        agent="fake/1" if live else "",
        latency_s=0.0015 if live else None,
        added_at=1_700_000_000.0,
        seen_at=1_700_000_060.0,
    )


@dataclass(slots=True)
class FakeRouting:
    """Values of the name space `metadata`, and a fixed list of peers, nearest first.

    Lookups wait for ever once `stalling`; `stalled` and `cancelled` tell of it.
    """

    values: dict[bytes, bytes] = field(default_factory=dict)
    peers: list[PeerInfo] = field(default_factory=lambda: [PeerInfo(OTHER_PEER, (OTHER_ADDR,)), PeerInfo(peer_of(3))])
    stalling: bool = False
    stalled: trio.Event = field(default_factory=trio.Event)
    cancelled: trio.Event = field(default_factory=trio.Event)

    async def _maybe_stall(self) -> None:
        if self.stalling:
            self.stalled.set()
            try:
                await trio.sleep_forever()
            finally:
                self.cancelled.set()

    async def bootstrap(self, peers: Sequence[PeerInfo]) -> BootstrapReport:
        asked = peers or self.peers
        return BootstrapReport(
            tuple(info for info in asked if info.peer != DEAD),
            tuple((info, "no address answers") for info in asked if info.peer == DEAD),
        )

    async def find_peer(self, peer: PeerId) -> PeerInfo | None:
        await self._maybe_stall()
        return next((info for info in self.peers if info.peer == peer), None)

    async def closest_peers(self, key: bytes) -> list[PeerInfo]:
        await self._maybe_stall()
        return self.peers

    async def put_record(self, key: bytes, value: bytes, *, quorum: Quorum = "one") -> RecordPut:
        if not key.startswith((b"metadata:", b"/pk/")):
            raise UsageError("no values are kept in that name space")
        self.values[key] = value
        put = RecordPut(key, asked=3, stored=2, needed=votes_needed(quorum, 3))
        if not put.reached:
            raise QuorumError.of(put)
        return put

    async def get_record(self, key: bytes, *, quorum: Quorum = 3) -> RecordFound | None:
        await self._maybe_stall()
        value = self.values.get(key)
        return None if value is None else RecordFound(key, value, (b"another",), 2, votes_needed(quorum, 3))

    async def stats(self) -> KadStats:
        return figures()

    def table(self) -> list[TablePeer]:
        return [table_peer(number) for number in range(5)]


@dataclass(slots=True)
class FakeConnections:
    """One connection; `connect` takes anybody but `unreachable`."""

    connected: list[PeerInfo] = field(default_factory=list)
    unreachable: PeerId = field(default_factory=lambda: peer_of(9))

    def connections(self) -> list[ConnectionInfo]:
        now = trio.current_time()
        return [ConnectionInfo(OTHER_PEER, OTHER_ADDR, "outbound", now, "fake/1", ("/b", "/a"), 0.0015, 2)]

    async def connect(self, info: PeerInfo) -> None:
        if info.peer == self.unreachable:
            raise PeerUnreachableError(f"no address of {info.peer} answers")
        self.connected.append(info)

    def add_addrs(self, peer: PeerId, addrs: Iterable[bytes], *, ttl_s: float) -> None: ...

    def addrs_of(self, peer: PeerId) -> tuple[bytes, ...]:
        return ()

    def listen_addrs(self) -> tuple[bytes, ...]:
        return (OTHER_ADDR,)

    def is_connected(self, peer: PeerId) -> bool:
        return peer == OTHER_PEER

    def protocols_of(self, peer: PeerId) -> frozenset[str]:
        return frozenset()

    async def disconnect(self, peer: PeerId) -> None: ...

    def on_identified(self, listener: Callable[[PeerId], None]) -> None: ...

    def on_disconnected(self, listener: Callable[[PeerId], None]) -> None: ...
