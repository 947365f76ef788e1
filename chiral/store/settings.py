"""What of the store can be configured."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

MIB_BYTES = 1 << 20


class StoreSettings(BaseModel):
    """Frozen; unknown keys are refused. Sizes are bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    map_size_bytes: int = Field(
        1 << 40,
        ge=MIB_BYTES,
        le=1 << 46,
        description="address space reserved, and the most the store can hold; the file grows with use",
    )
    disk_reserve_bytes: int = Field(
        32 * MIB_BYTES, ge=0, description="what stays free for deleting, on the disk or in the file"
    )
    durable: bool = Field(
        True, description="sync each batch to the disk; without it a power cut may damage the store (a kill never does)"
    )
    verify_on_read: bool = Field(False, description="hold every block read against its CID")
    read_threads: int = Field(4, ge=1, le=64, description="reads that may wait for the disk at once")
    batch_bytes: int = Field(16 * MIB_BYTES, ge=1 << 16, description="most data one write transaction takes on")
    queue_bytes: int = Field(32 * MIB_BYTES, ge=1 << 16, description="most data that waits to be written, or is being")
    hot_bytes: int = Field(
        256 * MIB_BYTES, ge=0, description="how much lately read or written is taken to be in memory; 0: none"
    )
    mapped_bytes: int = Field(
        16 * MIB_BYTES, ge=0, description="how much of the store may show as memory of this process; 0: any"
    )
    providers_per_key: int = Field(100, ge=1, description="provider records kept for one key; the newest stay")
    providers_per_peer: int = Field(250_000, ge=1, description="provider records kept of one peer")
    providers_total: int = Field(1_000_000, ge=1, description="provider records kept in all")
    values_total: int = Field(20_000, ge=1, description="value records kept in all; the longest to live stay")
    values_per_key: int = Field(16, ge=1, description="value records kept under one key, each of another author")
    values_per_author: int = Field(5_000, ge=1, description="value records kept of one author")
