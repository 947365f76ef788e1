"""What the nodes of a house can be told to do, and what they answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import trio

from chiral.block.cid import CID
from chiral.errors import ChiralError
from chiral.interface.routing import ProvideResult
from chiral.node.node import Node
from interop.dht.keys import numbered_cids
from interop.dht.sent import Sent

Reply = dict[str, Any]
PROVIDE_S = 150.0
"""What is not announced by then is given up, so that it does not go on under what is measured next."""
_MOST_PROVIDERS = 100


class Orders:
    """The commands. A line is `ID WORD NODE ARGUMENT…`, the reply has the ID and `ok`."""

    def __init__(self, nodes: Sequence[Node], sent: Sent) -> None:
        self._nodes = nodes
        self._sent = sent
        self._commands: Mapping[str, Callable[..., Awaitable[Reply]]] = {
            "provide": self.provide,
            "provide-many": self.provide_many,
            "providers": self.providers,
            "closest": self.closest,
        }

    async def reply(self, line: str) -> Reply:
        """The reply to one line; what goes wrong is in it."""
        number, word, *arguments = line.split()
        try:
            if word == "nodes":
                fields = self.nodes()
            elif word == "sent":
                fields = self.sent()
            else:
                node, *rest = arguments
                fields = await self._commands[word](self._nodes[int(node)], *rest)
        except (ChiralError, LookupError, TypeError, ValueError, trio.TooSlowError) as error:
            return {"id": int(number), "ok": False, "error": f"{type(error).__name__}: {error}"}
        return {"id": int(number), "ok": True, **fields}

    def nodes(self) -> Reply:
        """Who lives here, in the order of their numbers."""
        return {"nodes": [{"peer_id": str(node.peer_id), "addrs": node.listen_addrs_text()} for node in self._nodes]}

    def sent(self) -> Reply:
        """What all nodes here have sent so far."""
        return {
            "requests": self._sent.requests(),
            "streams": dict(self._sent.streams),
            "bytes": dict(self._sent.bytes),
        }

    async def provide(self, node: Node, cid: str) -> Reply:
        """Announce a CID under both of its keys."""
        return _stored(await node.provide(CID.parse(cid)))

    async def provide_many(self, node: Node, seed: str, count: str, one_by_one: str = "") -> Reply:
        """Announce numbered keys, whole CIDs, in one call or (with a third word) in a call for each."""
        keys = [cid.buffer for cid in numbered_cids(seed, int(count))]
        before = self._sent.requests()
        started = time.perf_counter()
        with trio.fail_after(PROVIDE_S):
            if one_by_one:
                results = [result for key in keys for result in await node.routing.provide([key])]
            else:
                results = await node.routing.provide(keys)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "requests": self._sent.requests() - before, **_stored(results)}

    async def providers(self, node: Node, cid: str, timeout_s: str = "60") -> Reply:
        """Who provides a CID; seconds to the first (null if there is none) and to the end of the search."""
        found, first = [], None
        started = time.perf_counter()
        async with aclosing(node.find_providers(CID.parse(cid), _MOST_PROVIDERS, float(timeout_s))) as search:
            async for info in search:
                first = first or time.perf_counter() - started
                found.append(str(info.peer))
        return {"providers": found, "first_s": first, "seconds": time.perf_counter() - started}

    async def closest(self, node: Node, cid: str) -> Reply:
        """The closest live peers to a CID's bytes, nearest first."""
        started = time.perf_counter()
        peers = await node.routing.closest_peers(CID.parse(cid).buffer)
        return {"peers": [str(info.peer) for info in peers], "seconds": time.perf_counter() - started}


def _stored(results: Sequence[ProvideResult]) -> Reply:
    """How many peers took the record of the key that fared worst, and of all keys on average."""
    stored = [result.stored for result in results] or [0]
    return {"keys": len(results), "stored_least": min(stored), "stored_mean": sum(stored) / len(stored)}
