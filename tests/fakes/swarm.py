"""Fakes of the DHT and of the connections as people ask for them: fixed peers, values in memory, stalls on call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import trio

from chiral.errors import PeerUnreachableError, UsageError
from chiral.host.addresses import parse_address
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.routing import ProvideResult
from chiral.interface.streams import ConnectionInfo

OTHER_PEER = PeerId.parse("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5")
OTHER_ADDR = parse_address("/ip4/127.0.0.1/tcp/4001")


def peer_of(seed: int) -> PeerId:
    """A peer id that nobody has the key of."""
    return PeerId(b"\x12\x20" + hashlib.sha256(bytes([seed])).digest())


@dataclass(frozen=True, slots=True)
class FakeOverlayStats:
    """Some figures of one DHT protocol."""

    protocol: str = "/fake/kad"
    bucket_counts: tuple[int, ...] = (3, 0)


@dataclass(frozen=True, slots=True)
class FakeKadStats:
    """Some figures of a DHT."""

    table_size: int = 3
    queries_done: int = 7
    overlays: tuple[FakeOverlayStats, ...] = (FakeOverlayStats(),)


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

    async def find_peer(self, peer: PeerId) -> PeerInfo | None:
        await self._maybe_stall()
        return next((info for info in self.peers if info.peer == peer), None)

    async def closest_peers(self, key: bytes) -> list[PeerInfo]:
        await self._maybe_stall()
        return self.peers

    async def put_value(self, key: bytes, value: bytes) -> ProvideResult:
        if not key.startswith(b"metadata:"):
            raise UsageError("no values are kept in that name space")
        self.values[key] = value
        return ProvideResult(key, asked=3, stored=2)

    async def get_value(self, key: bytes, *, quorum: int = 3) -> bytes | None:
        await self._maybe_stall()
        return self.values.get(key)

    async def stats(self) -> FakeKadStats:
        return FakeKadStats()


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
