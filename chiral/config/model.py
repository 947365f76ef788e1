"""The node's configuration as one frozen value: every room's own model under the room's name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chiral.config.api import ApiSettings
from chiral.config.data_dir import default_data_dir
from chiral.config.log import LogSettings
from chiral.config.profile import DEFAULT_PROFILE
from chiral.exchange.settings import ExchangeSettings
from chiral.host.settings import HostSettings
from chiral.pinning.settings import CollectionSettings
from chiral.routing.settings import KadSettings
from chiral.store.settings import StoreSettings
from chiral.transfer.settings import TransferSettings


class NodeConfig(BaseModel):
    """Frozen; unknown keys are refused. Every setting has a default, so `NodeConfig()` is a whole configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Field(default_factory=default_data_dir, description="where the node keeps what it owns")
    profile: str = Field(DEFAULT_PROFILE, description="the named set of settings under the user's own")
    bootstrap: tuple[str, ...] = Field((), description="multiaddrs with /p2p/ID of peers to join the swarm through")
    announce: Literal["all", "roots", "off"] = Field(
        "all", description="what the swarm is told of: files with their chunks, roots alone, nothing"
    )
    announce_keys: Literal["both", "cid", "multihash"] = Field(
        "both", description="keys of what is announced: both for roots and the CID's bytes for chunks, or one for all"
    )
    host: HostSettings = HostSettings()
    routing: KadSettings = KadSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    transfer: TransferSettings = TransferSettings()
    store: StoreSettings = StoreSettings()
    collection: CollectionSettings = CollectionSettings()
    api: ApiSettings = ApiSettings()
    log: LogSettings = LogSettings()
