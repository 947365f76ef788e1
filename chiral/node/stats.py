"""A node's figures at one moment, as the API shows them."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.routing.stats import KadStats


@dataclass(frozen=True, slots=True)
class NodeStats:
    """Counts, sizes in bytes and the uptime in seconds; `dht` is the routing's own."""

    uptime_s: float
    peers: int
    files: int
    blocks: int
    block_bytes: int
    blocks_sent: int
    bytes_sent: int
    streams_refused: int
    dht: KadStats
