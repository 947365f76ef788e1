"""What of collecting can be configured: when it begins by itself, and how much of the node's time it takes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from chiral.pinning.levels import Levels


class CollectionSettings(BaseModel):
    """Frozen; unknown keys are refused. By default no collection begins by itself: `chiral gc` begins one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    high_water_bytes: int = Field(0, ge=0, description="blocks of so many bytes start a collection; 0: high_water")
    low_water_bytes: int = Field(0, ge=0, description="a collection started so may end at this; 0: low_water")
    high_water: float = Field(0.0, ge=0, le=1, description="the same as a share of store.quota_bytes; 0: off")
    low_water: float = Field(0.0, ge=0, le=1, description="the same as a share of store.quota_bytes")
    interval_s: float = Field(0.0, ge=0, description="seconds after the last collection that one starts; 0: never")
    check_s: float = Field(60.0, gt=0, description="seconds between looks at how full the store is")
    slice_ms: float = Field(4.0, gt=0, le=1000, description="how long a collection works before others have a turn")
    share: float = Field(0.75, gt=0, le=1, description="most of the time that a collection takes of a core")

    def levels(self, quota_bytes: int) -> Levels:
        """When a collection begins in a store that may hold `quota_bytes` (0: no quota)."""
        return Levels.of(
            high_bytes=self.high_water_bytes,
            low_bytes=self.low_water_bytes,
            high_share=self.high_water,
            low_share=self.low_water,
            quota_bytes=quota_bytes,
            interval_s=self.interval_s,
        )
