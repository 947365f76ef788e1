"""Sessions' configuration: how much is asked of whom at once."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

MIB_BYTES = 1 << 20


class TransferSettings(BaseModel):
    """Frozen; counts, sizes in bytes, waits in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_in_flight: int = Field(64, gt=0, le=64, description="requests in flight to one peer; Rust peers drop past 100")
    lookahead: int = Field(128, gt=0, description="blocks asked for ahead of the next one needed in order")
    lookahead_bytes: int = Field(32 * MIB_BYTES, gt=0, description="the same in bytes; fewer blocks where they are big")
    max_providers: int = Field(8, gt=0, description="peers a session asks at once")
    retry_s: float = Field(0.25, gt=0, description="wait before a peer that failed is asked again, doubled each time")
    max_failures: int = Field(4, gt=0, description="failures in a row after which a session gives a peer up")
    patience_s: float = Field(5.0, gt=0, description="after this long an idle peer is asked for a block too")
    search_timeout_s: float = Field(30.0, gt=0, description="one search for more peers")
