"""HTTP connections to a node: over its Unix socket, or over TCP. Standard library only."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

from chiral.api.endpoint import socket_address

CONNECT_TIMEOUT_S = 5.0


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket; the Host it gives is a name only."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=CONNECT_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Open the socket; raises `OSError`."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_TIMEOUT_S)
        with socket_address(self._path) as address:
            self.sock.connect(address)


class TcpConnection(http.client.HTTPConnection):
    """An HTTP connection over TCP that sends at once."""

    def connect(self) -> None:
        """Open the socket; raises `OSError`."""
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
