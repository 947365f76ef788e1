"""Who may hold a CID: peers already connected that speak the block protocol, and whoever the routing finds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import trio

from chiral.block.cid import CID
from chiral.interface.peer import PeerId
from chiral.interface.routing import Routing
from chiral.interface.streams import Connections

_MAX_CONNECTED = 16
_FOUND_TTL_S = 1800.0
_JOIN_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A peer to ask. `claims`: it is said to hold the content; else it is merely connected."""

    peer: PeerId
    claims: bool


class Finder:
    """Looks in both places: a provider whose record a bootstrap node dropped is still found while it is connected."""

    def __init__(
        self, local: PeerId, routing: Routing, connections: Connections, protocol: str, joined: trio.Event
    ) -> None:
        self._local = local
        self._routing = routing
        self._connections = connections
        self._protocol = protocol
        self._joined = joined

    async def find(self, cid: CID, found: Callable[[Candidate], None], *, count: int, timeout_s: float) -> None:
        """Call `found` for each candidate as it is found, this node never; returns when the search is over.

        At most 16 connected ones and `count` providers; a peer may come as both. Both of the CID's provider keys are
        looked up: its bytes (Chiral, Rust) and its multihash (Go, IPFS). Just after the node's start it is waited for
        `joined`, some seconds at most. Raises a `LocalError` if the routing fails.
        """
        self._name_connected(found)
        if not self._joined.is_set():
            with trio.move_on_after(min(timeout_s, _JOIN_WAIT_S)):
                await self._joined.wait()
            self._name_connected(found)
        keys = list(dict.fromkeys((cid.buffer, cid.multihash)))
        with trio.move_on_after(timeout_s):
            async with aclosing(self._routing.find_providers(keys, count, timeout_s)) as providers:
                async for provider in providers:
                    if provider.peer != self._local:
                        self._connections.add_addrs(provider.peer, provider.addrs, ttl_s=_FOUND_TTL_S)
                        found(Candidate(provider.peer, claims=True))

    def _name_connected(self, found: Callable[[Candidate], None]) -> None:
        speak = [info.peer for info in self._connections.connections() if self._protocol in info.protocols]
        for peer in list(dict.fromkeys(speak))[:_MAX_CONNECTED]:
            found(Candidate(peer, claims=False))
