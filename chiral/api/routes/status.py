"""The node's figures, its configuration, and its end."""

from __future__ import annotations

from typing import Any, cast

from fastapi import APIRouter
from pydantic import BaseModel

from chiral.api.context import Context
from chiral.api.records import Done, plain
from chiral.config.load import LoadedConfig

router = APIRouter(tags=["node"])


class Setting(BaseModel):
    """One setting: its dotted key, its value, and who gave it."""

    key: str
    value: Any
    origin: str


class Settings(BaseModel):
    """The effective configuration."""

    items: list[Setting]


@router.get("/stats")
async def show_stats(context: Context) -> dict[str, Any]:
    """What the node holds, who is connected, what has moved, and for how long it has run."""
    return cast(dict[str, Any], plain(await context.node.stats()))


@router.get("/config")
async def show_config(context: Context) -> Settings:
    """Every setting in force and who gave it: default, profile, file, environment or command line."""
    loaded = LoadedConfig(context.node.config, context.origins)
    return Settings(items=[Setting(key=key, value=value, origin=origin) for key, value, origin in loaded.entries()])


@router.post("/shutdown")
async def shut_down(context: Context) -> Done:
    """End the node as a signal would: the answer comes first."""
    context.stop.set()
    return Done()
