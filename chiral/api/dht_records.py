"""What the API's DHT routes take and answer with, and how the DHT's own values become that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from chiral.api.query import MAX_TEXT
from chiral.api.records import Peer
from chiral.host.addresses import address_text, parse_peer_address
from chiral.interface.peer import PeerId, PeerInfo
from chiral.kad.key import KadKey

if TYPE_CHECKING:
    from chiral.interface.providers import FoundProvider
    from chiral.routing.census import TablePeer
    from chiral.routing.joining import BootstrapReport

_MAX_BOOTSTRAP = 64
_Address = Annotated[str, Field(max_length=1024)]
_DISTANCE = "XOR of SHA-256 of the key and of the peer id, 64 hexadecimal digits"


class Provide(BaseModel):
    """What to announce."""

    cid: str = Field(max_length=MAX_TEXT, description="a CID as text")


class Provider(BaseModel):
    """A provider as it was found. Its record is held here (`received_at`), or was told by another (`told_by`)."""

    peer_id: str
    addrs: list[str]
    key: str = Field(description="the provider key it was found under, hexadecimal: a CID's bytes or its multihash")
    distance: str = Field(description=_DISTANCE)
    received_at: float | None = Field(description="when this node took the record in, Unix seconds, or null")
    told_by: str | None = Field(description="the peer that told of it; null if the record is held here")

    @classmethod
    def of(cls, found: FoundProvider) -> Self:
        peer = Peer.of(found.info)
        return cls(
            peer_id=peer.peer_id,
            addrs=peer.addrs,
            key=found.key.hex(),
            distance=_hex(found.distance),
            received_at=found.received_at,
            told_by=None if found.told_by is None else str(found.told_by),
        )


class ClosePeer(BaseModel):
    """A peer near a key."""

    peer_id: str
    addrs: list[str]
    distance: str = Field(description=_DISTANCE)

    @classmethod
    def of(cls, info: PeerInfo, target: KadKey) -> Self:
        peer = Peer.of(info)
        return cls(peer_id=peer.peer_id, addrs=peer.addrs, distance=_hex(target.distance(KadKey.of(info.peer.raw))))


class ClosePeerList(BaseModel):
    """Peers by their distance from a key, nearest first."""

    items: list[ClosePeer]


class Bootstrap(BaseModel):
    """Whom to join through."""

    peers: list[_Address] = Field(
        default_factory=list,
        max_length=_MAX_BOOTSTRAP,
        description="addresses that end in /p2p/ID; none: those of the configuration and of earlier calls",
    )


class Unreached(BaseModel):
    """A bootstrap peer that could not be used, and why."""

    peer_id: str
    addrs: list[str]
    reason: str


class BootstrapOutcome(BaseModel):
    """Which bootstrap peers are connected, and which could not be used."""

    connected: list[Peer]
    failed: list[Unreached]

    @classmethod
    def of(cls, report: BootstrapReport) -> Self:
        return cls(
            connected=[Peer.of(info) for info in report.connected],
            failed=[
                Unreached(peer_id=str(info.peer), addrs=[address_text(addr) for addr in info.addrs], reason=reason)
                for info, reason in report.failed
            ],
        )


class TableEntry(BaseModel):
    """A peer of a routing table. `agent` and `latency_s` (seconds) are known only while it is connected."""

    protocol: str
    bucket: int = Field(description="how many leading bits its point shares with this node's, 0 to 255")
    peer_id: str
    addrs: list[str]
    connected: bool
    agent: str
    latency_s: float | None
    added_at: float = Field(description="when it came into the table, Unix seconds")
    seen_at: float = Field(description="when it last gave a sign of life, Unix seconds")

    @classmethod
    def of(cls, entry: TablePeer) -> Self:
        return cls(
            protocol=entry.protocol,
            bucket=entry.bucket,
            peer_id=str(entry.peer),
            addrs=[address_text(addr) for addr in entry.addrs],
            connected=entry.connected,
            agent=entry.agent,
            latency_s=entry.latency_s,
            added_at=round(entry.added_at, 3),
            seen_at=round(entry.seen_at, 3),
        )


class TablePage(BaseModel):
    """Peers by protocol and bucket, farthest first; `next` is the `start` of the next page, null on the last."""

    items: list[TableEntry]
    next: int | None


class OverlayFigures(BaseModel):
    """Of one protocol's routing table."""

    model_config = ConfigDict(from_attributes=True)

    protocol: str
    table_size: int = Field(description="peers in the table")
    bucket_counts: list[int] = Field(description="peers in each of the 256 buckets, farthest first")


class AnnounceFigures(BaseModel):
    """How the announcing of this node's own keys goes."""

    model_config = ConfigDict(from_attributes=True)

    keys: int = Field(description="keys kept announced")
    pending: int = Field(description="keys that no peer has taken yet")
    due: int = Field(description="keys whose turn it is now")
    behind_s: float = Field(description="how long the longest of them has been waiting, seconds")
    announced: int = Field(description="announcements of keys since the start")
    keys_per_s: float = Field(description="keys a second in the last sweep")
    last_sweep_at: float | None = Field(description="when the last sweep began, Unix seconds; null before the first")
    last_sweep_s: float | None = Field(description="how long the last sweep took, seconds")
    sweeping: bool = Field(description="whether a sweep is under way")
    keeping_up: bool = Field(description="false while keys wait so long that records may run out")


class LatencyFigures(BaseModel):
    """How long the last lookups took, in seconds; null without any."""

    model_config = ConfigDict(from_attributes=True)

    count: int = Field(description="lookups that these figures are of")
    p50_s: float | None = Field(description="half of them ended within so many seconds")
    p90_s: float | None = Field(description="90 of 100 of them ended within so many seconds")
    p99_s: float | None = Field(description="99 of 100 of them ended within so many seconds")


class RefusalFigures(BaseModel):
    """What others asked for and did not get, by the limit that it was over, since the start."""

    model_config = ConfigDict(from_attributes=True)

    streams: int = Field(description="streams over the limit of a peer or of all")
    rate: int = Field(description="streams reset because their peer stayed over its rate")
    records: int = Field(description="provider records over the store's limits")
    oversized: int = Field(description="messages or keys too long")
    foreign: int = Field(description="provider records of somebody else than the sender")
    malformed: int = Field(description="what is no DHT message, and values that no validator takes")
    idle: int = Field(description="streams on which nothing came, or nothing was read, for too long")
    slowed: int = Field(description="no refusals: messages that had to wait for their peer's rate")


class DhtStats(BaseModel):
    """How the DHT stands. Counts, where nothing else is said."""

    model_config = ConfigDict(from_attributes=True)

    mode: str = Field(description="what the node is now: server (answers others) or client (only asks)")
    reachability: str = Field(description="whether strangers can dial this node: reachable, unreachable or unknown")
    peers: int = Field(description="different peers in all routing tables")
    table_size: int = Field(description="peers in all routing tables, one in two tables counted twice")
    bucket_counts: list[int] = Field(description="peers in each of the 256 buckets of all tables, farthest first")
    overlays: list[OverlayFigures] = Field(description="a routing table for each protocol")
    provider_records: int = Field(description="provider records of others held for the swarm")
    providers_known: int = Field(description="providers that this node's own searches found lately")
    value_records: int = Field(description="value records held")
    own_values: int = Field(description="value records that this node publishes and repeats")
    own_announced: int = Field(description="keys that this node provides itself")
    own_pending: int = Field(description="own keys that no peer has taken yet")
    announcing: AnnounceFigures = Field(description="how the announcing of own keys goes")
    queries_active: int = Field(description="lookups under way")
    queries_done: int = Field(description="lookups that somebody answered, since the start")
    queries_failed: int = Field(description="lookups that nobody answered, since the start")
    query_latency: LatencyFigures = Field(description="how long the last lookups took")
    last_refresh: float | None = Field(description="when buckets were last refreshed, Unix seconds; null before that")
    refusals: RefusalFigures = Field(description="what others asked for and did not get")


def _hex(distance: int) -> str:
    return f"{distance:064x}"


def bootstrap_addresses(texts: list[str]) -> list[PeerInfo]:
    """The peers that `texts` name, each with all its addresses.

    Raises `InvalidAddressError` for a text that is not an address with a peer id.
    """
    found: dict[PeerId, dict[bytes, None]] = {}
    for text in texts:
        peer, addr = parse_peer_address(text)
        found.setdefault(peer, {})[addr] = None
    return [PeerInfo(peer, tuple(addrs)) for peer, addrs in found.items()]
