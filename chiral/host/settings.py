"""The host's configuration: where to listen, how many connections, how long to wait."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_LISTEN = ("/ip4/0.0.0.0/tcp/4101", "/ip6/::/tcp/4101")


class HostSettings(BaseModel):
    """Frozen; every wait in seconds, every limit a count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: tuple[str, ...] = Field(DEFAULT_LISTEN, description="multiaddrs to listen on; port 0 takes a free one")
    max_connections: int = Field(1024, gt=0, description="live connections, both directions")
    max_connections_per_peer: int = Field(8, gt=0, description="live connections to one peer")
    max_pending_inbound: int = Field(128, gt=0, description="inbound connections in their handshake")
    max_dials: int = Field(64, gt=0, description="addresses being dialled at once")
    dial_timeout_s: float = Field(10.0, gt=0, description="one address: TCP, Noise and Yamux together")
    inbound_timeout_s: float = Field(15.0, gt=0, description="an inbound connection's handshake")
    negotiate_timeout_s: float = Field(10.0, gt=0, description="agreeing on a stream's protocol")
    identify_timeout_s: float = Field(10.0, gt=0, description="one identify exchange")
