"""Who may hold a CID: peers already connected that speak the block protocol, and whoever the routing finds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

import trio

from chiral.block.cid import CID
from chiral.interface.peer import PeerId
from chiral.interface.routing import Routing
from chiral.interface.streams import Connections

_MAX_CONNECTED_ASKED = 16
_FOUND_TTL_S = 1800.0


class Finder:
    """Looks in both places: a provider whose record a bootstrap node dropped is still found while it is connected."""

    def __init__(self, local: PeerId, routing: Routing, connections: Connections, protocol: str) -> None:
        self._local = local
        self._routing = routing
        self._connections = connections
        self._protocol = protocol

    async def find(self, cid: CID, found: Callable[[PeerId], None], *, count: int, timeout_s: float) -> None:
        """Call `found(peer)` for each candidate as it is found, this node never; returns when the search is over.

        Both of the CID's provider keys are looked up: its bytes (Chiral, Rust) and its multihash (Go, IPFS).
        """
        for info in self._connections.connections()[:_MAX_CONNECTED_ASKED]:
            if self._protocol in info.protocols:
                found(info.peer)
        keys = list(dict.fromkeys((cid.buffer, cid.multihash)))
        with trio.move_on_after(timeout_s):
            async with aclosing(self._routing.find_providers(keys, count, timeout_s)) as providers:
                async for provider in providers:
                    if provider.peer != self._local:
                        self._connections.add_addrs(provider.peer, provider.addrs, ttl_s=_FOUND_TTL_S)
                        found(provider.peer)
