"""A node's figures at one moment, as the API shows them."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.interface.blockstore import BlockstoreStats
from chiral.interface.pins import PinCounts
from chiral.pinning.collector import CollectionStatus
from chiral.routing.stats import KadStats


@dataclass(frozen=True, slots=True)
class NodeStats:
    """Counts, sizes in bytes and the uptime in seconds; `store` and `dht` are those rooms' own."""

    uptime_s: float
    peers: int
    files: int
    blocks: int
    block_bytes: int
    blocks_sent: int
    bytes_sent: int
    streams_refused: int
    store: BlockstoreStats
    pins: PinCounts
    collection: CollectionStatus
    dht: KadStats
