"""What the network and the nodes are like in a simulation: seconds, shares from 0 to 1, counts."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.kad.lookup import LookupLimits
from chiral.kad.table import DEFAULT_TRUST_S
from chiral.routing.settings import KadSettings

NODE = KadSettings()
"""The defaults of a real node, whose times hold here too."""


@dataclass(frozen=True, slots=True)
class Links:
    """The network between nodes. Every node has a place in a square and an access line of its own."""

    base_s: float = 0.002
    across_s: float = 0.080
    """One way along the side of the square."""
    access_s: float = 0.005
    """Median of what the access line of a node adds, each time that something passes it."""
    access_sigma: float = 0.8
    jitter_sigma: float = 0.2
    """Of the lognormal factor on each way, whose median is 1."""
    dial_rtts: float = 4.0
    """Round trips before the first request on a connection: TCP, two agreements, Noise."""
    loss: float = 0.01
    """Share of exchanges that get no answer though both live."""
    silent: float = 0.5
    """Share of the dead whose address swallows a dial; the others' refuses it after a round trip."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """A simulation's parameters; all follows from them and the seed."""

    links: Links = Links()
    k: int = NODE.k
    alpha: int = NODE.alpha
    request_timeout_s: float = NODE.request_timeout_s
    stall_s: float = NODE.stall_s
    query_timeout_s: float = NODE.query_timeout_s
    refresh_s: float = NODE.refresh_s
    republish_s: float = NODE.republish_s
    strikes: int = NODE.strikes
    paths: int = NODE.disjoint_paths
    """Disjoint paths of a lookup, but for those that place records, which have one."""
    trust_s: float = DEFAULT_TRUST_S
    """A peer seen so lately is not asked whether it lives when another wants its place."""

    @property
    def lookup(self) -> LookupLimits:
        """The limits of a lookup, as a real node sets them."""
        return LookupLimits(k=self.k, alpha=self.alpha, stall_s=self.stall_s)
