"""The table of live connections by peer, with its limits."""

from __future__ import annotations

from collections.abc import Callable

from chiral.errors import LimitExceededError
from chiral.host.connection import Connection
from chiral.host.identify import Identity
from chiral.interface.peer import PeerId
from chiral.interface.streams import ConnectionInfo


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
        self._by_peer: dict[PeerId, tuple[Connection, ...]] = {}

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
        mine = self._by_peer.get(connection.peer, ())
        if len(mine) >= self._max_per_peer:
            raise LimitExceededError(f"{self._max_per_peer} connections to one peer (host.max_connections_per_peer)")
        self._by_peer[connection.peer] = (*mine, connection)
        if not mine:
            self._joined(connection.peer)

    def remove(self, connection: Connection) -> None:
        """Strike a connection out; harmless if it is not in."""
        rest = tuple(other for other in self.of(connection.peer) if other is not connection)
        if rest:
            self._by_peer[connection.peer] = rest
        elif self._by_peer.pop(connection.peer, None) is not None:
            self._left(connection.peer)

    def live(self, peer: PeerId) -> Connection | None:
        """The newest connection to `peer` that still takes streams: of two, the older one may be dead unnoticed."""
        for connection in reversed(self._by_peer.get(peer, ())):
            if connection.alive:
                return connection
        return None

    def of(self, peer: PeerId) -> tuple[Connection, ...]:
        """All connections to `peer`, the oldest first."""
        return self._by_peer.get(peer, ())

    def all(self) -> list[Connection]:
        """All connections."""
        return [connection for connections in self._by_peer.values() for connection in connections]

    def infos(self, identity_of: Callable[[PeerId], Identity]) -> list[ConnectionInfo]:
        """All connections as shown to people, with what their peers said of themselves."""
        shown = []
        for connection in self.all():
            identity = identity_of(connection.peer)
            shown.append(connection.info(identity.agent, tuple(sorted(identity.protocols))))
        return shown
