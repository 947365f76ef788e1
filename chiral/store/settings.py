"""What of the store can be configured."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chiral.encoding.compression import LEVELS
from chiral.store.s3_settings import S3Settings

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
    quota_bytes: int = Field(0, ge=0, description="most that blocks may take as they rest; 0: what the disk has")
    compression: Literal["zstd", "lz4", "gzip", "none"] = Field(
        "zstd", description="how blocks that shrink are kept; CIDs are always those of the plain bytes"
    )
    compression_level: int = Field(
        0, ge=0, description="zstd 1-19, lz4 1-12, gzip 1-9, larger is smaller and slower; 0: the codec's default"
    )
    cache_bytes: int = Field(
        32 * MIB_BYTES, ge=0, description="memory for blocks that are costly to read: compressed or remote; 0: none"
    )
    verify_on_read: bool = Field(False, description="hold every block read against its CID")
    verify_on_write: bool = Field(False, description="hold every block to be stored against its CID")
    verify_interval_days: float = Field(
        30.0, ge=0, description="days between the end of one check of all blocks and the next; 0: only when asked"
    )
    verify_rate_bytes: int = Field(32 * MIB_BYTES, ge=1, description="most that such a check reads in a second")
    verify_repair: bool = Field(True, description="fetch anew from the swarm what such a check finds damaged")
    migration_backup: bool = Field(
        True, description="copy the store before its layout is changed; needs the room twice"
    )
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
    blocks: Literal["lmdb", "s3"] = Field("lmdb", description="where blocks are kept: here, or in an object store")
    s3: S3Settings = Field(S3Settings(), description="the object store, for blocks = s3; the rest stays here")

    @model_validator(mode="after")
    def _level_fits(self) -> Self:
        if self.compression != "none" and self.compression_level:
            low, high = LEVELS[self.compression]
            if not low <= self.compression_level <= high:
                raise ValueError(
                    f"compression_level {self.compression_level}: {self.compression} takes {low} to {high}"
                )
        return self

    @model_validator(mode="after")
    def _names_the_bucket(self) -> Self:
        if self.blocks == "s3" and not self.s3.bucket:
            raise ValueError("blocks = s3 needs s3.bucket, the name of a bucket that is there")
        return self
