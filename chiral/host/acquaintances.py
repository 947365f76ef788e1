"""What peers have said of themselves by identify: remembered beyond their connections, within a bound."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from chiral.host.identify import Identity
from chiral.interface.peer import PeerId

MAX_PEERS = 10_000
_UNKNOWN = Identity("", frozenset(), (), None)


class Acquaintances:
    """Identities by peer; the one least recently heard of makes room for a new one."""

    def __init__(self) -> None:
        self._identities: OrderedDict[PeerId, Identity] = OrderedDict()

    def of(self, peer: PeerId) -> Identity:
        """What `peer` said of itself, or an empty identity."""
        return self._identities.get(peer, _UNKNOWN)

    def learn(self, peer: PeerId, identity: Identity) -> None:
        """`peer` has told all of itself."""
        self._identities[peer] = identity
        self._identities.move_to_end(peer)
        while len(self._identities) > MAX_PEERS:
            self._identities.popitem(last=False)

    def update(self, peer: PeerId, news: Identity) -> None:
        """`peer` has told what changed: fields that are empty stay as they were (specification of identify/push)."""
        known = self.of(peer)
        self.learn(
            peer,
            Identity(
                news.agent or known.agent,
                news.protocols or known.protocols,
                news.addrs or known.addrs,
                news.observed or known.observed,
            ),
        )

    def refused(self, peer: PeerId, protocol: str) -> None:
        """`peer` does not speak `protocol`, whatever it said before."""
        known = self._identities.get(peer)
        if known is not None:
            self._identities[peer] = replace(known, protocols=known.protocols - {protocol})
