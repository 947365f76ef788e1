"""The log's configuration: from which level upward, as text or as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LogSettings(BaseModel):
    """Frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least serious level written")
    as_json: bool = Field(False, description="one JSON object a line instead of text")
