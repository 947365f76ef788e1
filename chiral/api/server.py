"""Serves a node's API for as long as the node runs: opens both listeners, tells clients where they are, cleans up."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from chiral.api.endpoint import ENDPOINT_FILE, Endpoint, ensure_token, write_endpoint
from chiral.api.sockets import bind_tcp, bind_unix
from chiral.api.surface import ServedNode
from chiral.config.model import NodeConfig
from chiral.errors import sole_error

OpenNode = Callable[[NodeConfig], AbstractAsyncContextManager[ServedNode]]


@dataclass(frozen=True, slots=True)
class Ready:
    """What a node says once it listens and its API answers. `addrs` end in `/p2p/` and the peer id."""

    peer_id: str
    addrs: list[str]
    api: str
    socket: Path


OnReady = Callable[[Ready], None]


async def serve_node(
    config: NodeConfig,
    on_ready: OnReady,
    *,
    origins: Mapping[str, str] | None = None,
    open_node: OpenNode | None = None,
) -> None:
    """Run a node and its API until SIGINT, SIGTERM or a call of /shutdown; calls `on_ready` once both answer.

    Raises what starting the node raises: `ListenError`, `StoreLockedError`, `FileAccessError` and other local errors.
    """
    with sole_error():
        async with trio.open_nursery() as nursery:
            stop, ready = trio.Event(), trio.Event()
            await nursery.start(_stop_on_signal, stop, ready, nursery.cancel_scope)

            def announce(news: Ready) -> None:
                on_ready(news)
                ready.set()

            await _serve_until(stop, config, announce, dict(origins or {}), open_node or _real_node)
            nursery.cancel_scope.cancel()


async def _serve_until(
    stop: trio.Event, config: NodeConfig, on_ready: OnReady, origins: dict[str, str], open_node: OpenNode
) -> None:
    async with open_node(config) as node, serve_api(node, stop, origins) as endpoint:
        on_ready(Ready(str(node.peer_id), node.listen_addrs_text(), endpoint.url, Path(endpoint.socket)))
        await stop.wait()


@asynccontextmanager
async def serve_api(node: ServedNode, stop: trio.Event, origins: Mapping[str, str]) -> AsyncIterator[Endpoint]:
    """The node's API, answering within the block on loopback TCP and on the Unix socket.

    The node must hold its data directory's lock. Raises `ListenError` and `FileAccessError`.
    """
    config = node.config
    token = ensure_token(config.data_dir)
    tcp, url = bind_tcp(config.api.listen)
    try:
        unix, path = bind_unix(config.data_dir)
    except BaseException:
        tcp.close()
        raise
    endpoint = Endpoint(url=url, socket=str(path), pid=os.getpid())
    ended = trio.Event()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_answer, node, stop, dict(origins), token, (tcp, unix), ended)
            try:
                write_endpoint(config.data_dir, endpoint)
                yield endpoint
            finally:
                ended.set()
    finally:
        tcp.close()
        unix.close()
        path.unlink(missing_ok=True)
        (config.data_dir / ENDPOINT_FILE).unlink(missing_ok=True)


async def _answer(
    node: ServedNode,
    stop: trio.Event,
    origins: dict[str, str],
    token: str,
    sockets: tuple[socket.socket, socket.socket],
    ended: trio.Event,
) -> None:
    """Answer on the sockets, TCP's and Unix's, until `ended`. FastAPI and Hypercorn are loaded only now, in a thread:
    a node listens and joins the swarm without waiting for them.
    """

    def load() -> Callable[[], Awaitable[None]]:
        from chiral.api.context import ApiContext
        from chiral.api.doors import Doors, Listeners

        doors = Doors(ApiContext(node, stop, origins), node.config.api, token)
        return partial(doors.serve, Listeners(*sockets), ended)

    serve = await trio.to_thread.run_sync(load)
    await serve()


async def _stop_on_signal(
    stop: trio.Event,
    ready: trio.Event,
    everything: trio.CancelScope,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """The first signal asks for the end; a second, or one before the node is ready, cuts short what is under way."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            if stop.is_set() or not ready.is_set():
                everything.cancel()
            stop.set()


def _real_node(config: NodeConfig) -> AbstractAsyncContextManager[ServedNode]:
    from chiral.node.node import Node  # loaded on use: a fake node needs none of py-libp2p

    return Node(config)
