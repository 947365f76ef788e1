"""Switches between serving the DHT and only using it; what is served is the server's."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from chiral.interface.streams import Connections, Streams
from chiral.kad.mode import Mode, Reachability, should_serve
from chiral.routing.overlay import Overlay
from chiral.routing.server import KadServer

_log = logging.getLogger(__name__)


class Serving:
    """Whether this node serves `overlays` now. Identify tells peers of each switch, and they put it in or out.

    Serves from its construction on unless it is to be a client: what this node is reached at is not known before it
    listens. `look` is to be called then, and whenever that may have changed.
    """

    def __init__(
        self, mode: Mode, server: KadServer, overlays: Sequence[Overlay], streams: Streams, connections: Connections
    ) -> None:
        self._mode = mode
        self._server = server
        self._overlays = overlays
        self._streams = streams
        self._connections = connections
        self._reachability: Reachability = "unknown"
        self.active = False
        """Whether this node serves now."""
        if mode != "client":
            self._start()

    @property
    def reachability(self) -> Reachability:
        """What is known of whether strangers can dial this node."""
        return self._reachability

    def found(self, reachability: Reachability) -> None:
        """Somebody has found out whether strangers can dial this node."""
        self._reachability = reachability
        self.look()

    def look(self) -> None:
        """Be what fits how things are now."""
        wanted = should_serve(self._mode, self._reachability, listens=bool(self._connections.listen_addrs()))
        if wanted == self.active:
            return
        _log.info("this node is a %s of the DHT now", "server" if wanted else "client")
        if wanted:
            self._start()
        else:
            self._stop()

    def _start(self) -> None:
        self.active = True
        for overlay in self._overlays:
            self._server.serve(self._streams, overlay)

    def _stop(self) -> None:
        self.active = False
        for overlay in self._overlays:
            self._streams.unserve(overlay.protocol)
