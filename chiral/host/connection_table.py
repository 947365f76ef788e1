"""The table of live connections by peer, with its limits and what identify told of each peer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from chiral.errors import LimitExceededError
from chiral.host.connection import Connection
from chiral.host.identify import Identity
from chiral.interface.peer import PeerId
from chiral.interface.streams import ConnectionInfo

_MAX_REMEMBERED_PEERS = 10_000
_UNKNOWN = Identity("", frozenset(), (), None)


class ConnectionTable:
    """Which connections live. `joined` and `left` are told a peer's first and last."""

    def __init__(
        self,
        max_connections: int,
        max_per_peer: int,
        joined: Callable[[PeerId], None],
        left: Callable[[PeerId], None],
    ) -> None:
        self._max_connections = max_connections
        self._max_per_peer = max_per_peer
        self._joined = joined
        self._left = left
        self._by_peer: dict[PeerId, list[Connection]] = {}
        self._identities: OrderedDict[PeerId, Identity] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._by_peer.values()))

    @property
    def full(self) -> bool:
        """Whether another connection would be over the limit."""
        return len(self) >= self._max_connections

    def add(self, connection: Connection) -> None:
        """Enter a connection; raises `LimitExceededError` naming the limit it is over."""
        if self.full:
            raise LimitExceededError(f"{self._max_connections} connections are open (host.max_connections)")
        mine = self._by_peer.get(connection.peer, [])
        if len(mine) >= self._max_per_peer:
            raise LimitExceededError(f"{self._max_per_peer} connections to one peer (host.max_connections_per_peer)")
        self._by_peer[connection.peer] = [*mine, connection]
        if not mine:
            self._joined(connection.peer)

    def remove(self, connection: Connection) -> None:
        """Strike a connection out; harmless if it is not in."""
        rest = [other for other in self._by_peer.get(connection.peer, []) if other is not connection]
        if rest:
            self._by_peer[connection.peer] = rest
        elif self._by_peer.pop(connection.peer, None) is not None:
            self._left(connection.peer)

    def live(self, peer: PeerId) -> Connection | None:
        """The oldest connection to `peer` that still takes streams: both sides then tend to use the same one."""
        return next((connection for connection in self._by_peer.get(peer, ()) if connection.alive), None)

    def of(self, peer: PeerId) -> list[Connection]:
        """All connections to `peer`."""
        return list(self._by_peer.get(peer, ()))

    def all(self) -> list[Connection]:
        """All connections."""
        return [connection for connections in self._by_peer.values() for connection in connections]

    def identified(self, peer: PeerId, identity: Identity) -> None:
        """Remember what `peer` said of itself, beyond its connections, within a bound."""
        self._identities[peer] = identity
        self._identities.move_to_end(peer)
        while len(self._identities) > _MAX_REMEMBERED_PEERS:
            self._identities.popitem(last=False)

    def identity_of(self, peer: PeerId) -> Identity:
        """What `peer` said of itself, or an empty identity."""
        return self._identities.get(peer, _UNKNOWN)

    def infos(self) -> list[ConnectionInfo]:
        """All connections as shown to people."""
        shown = []
        for connection in self.all():
            identity = self.identity_of(connection.peer)
            shown.append(connection.info(identity.agent, tuple(sorted(identity.protocols))))
        return shown
