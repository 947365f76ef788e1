"""Waits until identify has told of a peer, for what cannot be done well before."""

from __future__ import annotations

import trio

from chiral.interface.peer import PeerId
from chiral.interface.streams import Connections


class IdentifyWatch:
    """Who is waiting for which peer's identify. `notify` is to be called for each peer identified."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._waiting: dict[PeerId, trio.Event] = {}

    def notify(self, peer: PeerId) -> None:
        """Identify has told of `peer`."""
        event = self._waiting.pop(peer, None)
        if event is not None:
            event.set()

    async def identified(self, peer: PeerId, within_s: float) -> None:
        """Return when identify has told of `peer`, or after `within_s` seconds."""
        if self._connections.protocols_of(peer):
            return
        event = self._waiting.setdefault(peer, trio.Event())
        with trio.move_on_after(within_s):
            await event.wait()
        if self._waiting.get(peer) is event and not event.statistics().tasks_waiting:
            del self._waiting[peer]
