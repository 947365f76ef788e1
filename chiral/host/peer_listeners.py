"""Who is to be told when something happens to a peer; what goes wrong in one of them stays there."""

from __future__ import annotations

import logging

from chiral.interface.peer import PeerId
from chiral.interface.streams import ConnectionListener

logger = logging.getLogger(__name__)


class PeerListeners:
    """Called in the order they were added."""

    def __init__(self) -> None:
        self._listeners: list[ConnectionListener] = []

    def add(self, listener: ConnectionListener) -> None:
        self._listeners.append(listener)

    def tell(self, peer: PeerId) -> None:
        """Call each with `peer`."""
        for listener in self._listeners:
            try:
                listener(peer)
            except Exception:
                logger.exception("a listener failed on %s", peer)
