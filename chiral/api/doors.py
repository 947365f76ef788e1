"""The HTTP side of a served node: the application behind a gate, answered on both listeners.

Importing this module is most of what the API costs at a start, so `chiral.api.server` imports it in a thread, after
the sockets listen: what comes before it is ready waits in their queues.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from chiral.api.app import create_app
from chiral.api.context import ApiContext
from chiral.api.gate import Admission, Gate, Transport
from chiral.api.worker import HttpWorker
from chiral.config.api import ApiSettings, split_host_port

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Listeners:
    """Both listening sockets of an API."""

    tcp: socket.socket
    unix: socket.socket


class Doors:
    """Answers on both listeners; only the TCP one asks where a request comes from."""

    def __init__(self, context: ApiContext, settings: ApiSettings, token: str) -> None:
        self._app = create_app(context)
        self._settings = settings
        self._token = token

    async def serve(self, listeners: Listeners, ended: trio.Event) -> None:
        """Answer until `ended`."""
        async with trio.open_nursery() as nursery:
            for worker in self._workers(listeners):
                nursery.start_soon(worker.serve, ended)

    def _workers(self, listeners: Listeners) -> Sequence[HttpWorker]:
        settings = self._settings
        doors: tuple[tuple[Transport, socket.socket, Admission], ...] = (
            ("tcp", listeners.tcp, tcp_admission(settings, self._token, listeners.tcp.getsockname()[1])),
            ("unix", listeners.unix, Admission(self._token)),
        )
        return [
            HttpWorker(
                Gate(self._app, transport, admission, body_idle_s=settings.body_idle_s),
                listener,
                max_connections=settings.max_connections,
                grace_s=settings.shutdown_grace_s,
            )
            for transport, listener, admission in doors
        ]


def tcp_admission(settings: ApiSettings, token: str, port: int) -> Admission:
    """Who is let in over TCP at `port`."""
    host, _ = split_host_port(settings.listen)
    own = f"[{host}]" if ":" in host else host
    return Admission(
        token,
        port=port,
        hosts=frozenset({*_LOOPBACK_NAMES, own.lower(), *(name.lower() for name in settings.allowed_hosts)}),
        any_address=host in ("0.0.0.0", "::"),
    )
