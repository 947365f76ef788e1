"""Serves an ASGI application on one listening socket with Hypercorn's trio worker, and ends it on time.

Hypercorn's own `serve` waits for ever at shutdown on a client that does not read, because it shields its writes; here
the sockets are known, so they can be closed under such writes. All that is taken from inside Hypercorn stands here.
"""

from __future__ import annotations

import logging
import socket
from typing import Any, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp

from chiral.api.gate import ABORT_KEY

_KEEP_ALIVE_S = 15.0
"""How long a connection may stand without a whole request head."""


class HttpWorker:
    """One listener and its connections. Owned by the nursery that runs `serve`; at most `max_connections` at once."""

    def __init__(self, app: ASGIApp, listener: socket.socket, *, max_connections: int, grace_s: float) -> None:
        self._app = ASGIWrapper(cast(Any, app))
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
        self._max_connections = max_connections
        self._grace_s = grace_s
        self._open: set[trio.SocketStream] = set()
        self._one_ended = trio.Event()
        self._context = WorkerContext(None)
        self._config = _hypercorn_config()

    async def serve(self, stop: trio.Event) -> None:
        """Answer until `stop`, then give requests under way the grace time, then close what is left."""
        async with trio.open_nursery() as connections:
            try:
                async with trio.open_nursery() as accepting:
                    accepting.start_soon(self._stop_accepting, stop, accepting.cancel_scope)
                    await trio.serve_listeners(self._connection, [self._listener], handler_nursery=connections)
                await self._context.terminated.set()  # idle connections end by themselves now
                with trio.move_on_after(self._grace_s):
                    while self._open:
                        await self._one_ended.wait()
            finally:
                for stream in self._open:
                    stream.socket.close()
                connections.cancel_scope.cancel()

    async def _stop_accepting(self, stop: trio.Event, scope: trio.CancelScope) -> None:
        await stop.wait()
        scope.cancel()

    async def _connection(self, stream: trio.SocketStream) -> None:
        if len(self._open) >= self._max_connections:
            await trio.aclose_forcefully(stream)
            return
        self._open.add(stream)
        state = ConnectionState({ABORT_KEY: stream.socket.close})
        try:
            await _Connection(self._app, self._config, self._context, state, cast(Any, stream))
        finally:
            self._open.discard(stream)
            self._one_ended.set()
            self._one_ended = trio.Event()


class _Connection(TCPServer):
    """One connection that ends when its client leaves; the stock one keeps waiting for the keep-alive time then."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


def _hypercorn_config() -> Config:
    config = Config()
    config.errorlog = logging.getLogger("chiral.api.http")
    config.accesslog = None
    config.keep_alive_timeout = _KEEP_ALIVE_S
    config.include_server_header = False
    return config
