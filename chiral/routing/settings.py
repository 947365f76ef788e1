"""The DHT's configuration: times in seconds, sizes in bytes, counts as they are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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


class OutboundLimits(BaseModel):
    """What this node asks of others at the same time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    streams_per_peer: Count = 16
    """A Rust peer serves 32 DHT streams of a connection at once and drops what is over."""
    lookups: Count = 16
    announce_peers: Count = 16
    announce_batch: Count = 100
    """ADD_PROVIDERs in one stream."""


class KadSettings(BaseModel):
    """Kademlia's parameters. A routing table is kept for each of `protocols`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocols: Annotated[tuple[Protocol, ...], Field(min_length=1, max_length=8)] = ("/ipfs/kad/1.0.0",)
    mode: Literal["server", "client"] = "server"
    k: Count = 20
    alpha: Count = 10
    provider_ttl_s: Seconds = 24 * HOUR_S
    republish_s: Seconds = 12 * HOUR_S
    retry_s: Seconds = 15.0
    """When an announcement that no peer took is tried again."""
    value_ttl_s: Seconds = 48 * HOUR_S
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
    table_addr_ttl_s: Seconds = 24 * HOUR_S
    strikes: Count = 2
    """Failures in a row after which a peer leaves the routing table."""
    inbound: InboundLimits = InboundLimits()
    outbound: OutboundLimits = OutboundLimits()
