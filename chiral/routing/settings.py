"""The DHT's configuration: times in seconds, sizes in bytes, counts as they are."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chiral.routing.table_settings import DiversitySettings, TableSettings

HOUR_S = 3600.0
Seconds = Annotated[float, Field(gt=0, le=365 * 24 * HOUR_S)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Protocol = Annotated[str, Field(pattern=r"^/[\x21-\x7e]{1,127}$")]


class InboundLimits(BaseModel):
    """What others may ask of this node at the same time, and how long they may be silent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    streams: Count = 1024
    streams_per_peer: Count = 64
    idle_s: Seconds = 60.0
    addrs_per_record: Count = 16
    provider_batch: Count = 256
    """ADD_PROVIDERs of one stream that are stored in one transaction at most."""
    records_per_s: Count = 2000
    """ADD_PROVIDERs of one peer; one that sends faster is read no faster."""
    records_burst: Count = 20_000
    """ADD_PROVIDERs of one peer that are taken at full speed before that."""
    requests_per_s: Count = 500
    """All other requests of one peer."""
    requests_burst: Count = 5000
    over_rate_s: Seconds = 30.0
    """A stream that keeps its peer over the rate for so long is reset."""


class OutboundLimits(BaseModel):
    """What this node asks of others at the same time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    streams_per_peer: Count = 16
    """A Rust peer serves 32 DHT streams of a connection at once and drops what is over."""
    lookups: Count = 16
    announce_peers: Count = 16
    announce_batch: Count = 250
    """ADD_PROVIDERs in one stream."""


class KadSettings(BaseModel):
    """Kademlia's parameters. A routing table is kept for each of `protocols`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocols: Annotated[tuple[Protocol, ...], Field(min_length=1, max_length=8)] = ("/ipfs/kad/1.0.0",)
    mode: Literal["server", "client", "auto"] = "auto"
    """Auto: serve others while they can reach this node, as far as is known."""
    k: Count = 20
    alpha: Count = 10
    disjoint_paths: Annotated[int, Field(ge=1, le=8)] = 2
    """Paths of a lookup that share no peer, so that a captured one does not decide the result; 1: no such thing."""
    provider_ttl_s: Seconds = 24 * HOUR_S
    republish_s: Seconds = 12 * HOUR_S
    retry_s: Seconds = 15.0
    """When an announcement that no peer took is tried again."""
    value_ttl_s: Seconds = 48 * HOUR_S
    value_republish_s: Seconds = 24 * HOUR_S
    """When this node's own value records are put again: in time for two attempts before they expire."""
    metadata: Literal["publish", "off"] = "publish"
    """Whether signed records of added files are published under `metadata:<root>` and those of others kept."""
    query_timeout_s: Seconds = 60.0
    request_timeout_s: Seconds = 10.0
    stall_s: Seconds = 3.0
    """How long a lookup holds a place for a peer that does not answer."""
    connect_timeout_s: Seconds = 15.0
    identify_wait_s: Seconds = 3.0
    """How long an ADD_PROVIDER without addresses waits for identify to tell them."""
    refresh_s: Seconds = HOUR_S
    sweep_s: Seconds = 600.0
    learned_addr_ttl_s: Seconds = 1800.0
    provider_cache_s: Seconds = 120.0
    """How long a provider that a search found is reported again at once."""
    provider_cache_records: Annotated[int, Field(ge=0, le=1_000_000)] = 4096
    table_addr_ttl_s: Seconds = 24 * HOUR_S
    strikes: Count = 2
    """Failures in a row after which a peer leaves the routing table."""
    table: TableSettings = TableSettings()
    diversity: DiversitySettings = DiversitySettings()
    inbound: InboundLimits = InboundLimits()
    outbound: OutboundLimits = OutboundLimits()

    @model_validator(mode="after")
    def _repeats_before_it_expires(self) -> Self:
        for interval, ttl in (("republish_s", "provider_ttl_s"), ("value_republish_s", "value_ttl_s")):
            if getattr(self, interval) >= getattr(self, ttl):
                raise ValueError(f"{interval} must be less than {ttl}, or records expire before they are repeated")
        return self
