"""What is measured of the DHT: names, units and what counts as good."""

from __future__ import annotations

from interop.bench.work import PYTHON, Better, Work

MANY = 10_000
ALL_ALIVE = "all alive"
KILLED = "30 % killed"
STATES = (ALL_ALIVE, KILLED)
ONE_BY_ONE = f"{PYTHON}, one by one"
SWARM = "swarm of 50"

ANNOUNCED = Work("DHT, 25 nodes: keys announced", "keys/s")
FIND_NODES = Work("DHT, 25 nodes: FIND_NODE requests a key", "requests", Better.LESS)
ADD_PROVIDERS = Work("DHT, 25 nodes: ADD_PROVIDER messages a key", "messages", Better.LESS, compared=False)
STORED = Work("DHT, 25 nodes: peers that took a key's record", "peers", compared=False)
IDLE_TRAFFIC = Work("DHT, 50 nodes: idle traffic of a node, both ways", "B/s", Better.LESS, compared=False)


def search_p50(state: str) -> Work:
    """A search for providers to its end, in the middle."""
    return Work(f"DHT, 25 nodes, {state}: search, p50", "ms", Better.LESS)


def search_p95(state: str) -> Work:
    """The same, 95 of 100 are as fast."""
    return Work(f"DHT, 25 nodes, {state}: search, p95", "ms", Better.LESS)
