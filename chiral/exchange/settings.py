"""The block protocol's configuration: caps and time-outs, the same on both sides."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

KIB = 1024
MIB = 1024 * KIB


class ExchangeSettings(BaseModel):
    """Frozen; sizes in bytes, waits in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_request_bytes: int = Field(1 * KIB, gt=0, description="longest request taken")
    max_block_bytes: int = Field(2 * MIB, gt=0, description="longest block asked for or served")
    max_manifest_bytes: int = Field(32 * MIB, gt=0, description="longest FileInfo asked for or served")
    request_timeout_s: float = Field(30.0, gt=0, description="one request, from opening its stream to its answer's end")
    max_serving: int = Field(1024, gt=0, description="requests being answered at once, all peers together")
    max_serving_per_peer: int = Field(100, gt=0, description="requests being answered at once for one peer")
    max_serving_bytes: int = Field(512 * MIB, gt=0, description="answers held in memory, all peers together")
    max_serving_bytes_per_peer: int = Field(128 * MIB, gt=0, description="answers held in memory for one peer")
