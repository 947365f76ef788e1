"""Two ends of one TCP connection over loopback, each upgraded by py-libp2p's upgrader to Chiral's stack or its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as new_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as StockNoise
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.transport.upgrader import TransportUpgrader

from chiral.host.muxed import FastMuxed
from chiral.host.secured import FastNoise, FastSession
from chiral.yamux.limits import YamuxLimits
from tests.host.muxer import FastMuxer

PATIENCE_S = 60.0

Muxed = Any
"""A `FastMuxed`, or py-libp2p's `Yamux`."""


class End:
    """An identity and the upgrader that goes with it. `fast` picks Chiral's Noise and Yamux or py-libp2p's."""

    def __init__(self, *, fast: bool = True, fast_noise: bool | None = None, limits: YamuxLimits | None = None) -> None:
        key_pair = create_new_key_pair()
        self.peer_id = ID.from_pubkey(key_pair.public_key)
        noise = FastNoise if (fast if fast_noise is None else fast_noise) else StockNoise
        transport = noise(key_pair, noise_privkey=new_x25519_key_pair().private_key)
        self._upgrader = TransportUpgrader({TProtocol(NOISE): transport}, {TProtocol(YAMUX): Yamux})
        if fast:
            self._upgrader.muxer_multistream = FastMuxer(limits)

    async def secure(self, tcp: trio.SocketStream, peer: ID | None = None) -> Any:
        raw = RawConnection(TrioTCPStream(tcp), peer is not None)
        return await self._upgrader.upgrade_security(raw, peer is not None, peer)

    async def upgrade(self, tcp: trio.SocketStream, peer: ID | None = None) -> Muxed:
        secured = await self.secure(tcp, peer)
        return await self._upgrader.upgrade_connection(secured, secured.get_remote_peer())


async def tcp_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    """The dialled and the accepted end of a TCP connection on loopback."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        dialled = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        return dialled, await listener.accept()


async def both(first: Awaitable[Any], second: Awaitable[Any]) -> tuple[Any, Any]:
    """The results of two things that wait for each other."""
    results: dict[int, Any] = {}

    async def run(number: int, waiting: Awaitable[Any]) -> None:
        results[number] = await waiting

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, 0, first)
        nursery.start_soon(run, 1, second)
    return results[0], results[1]


@asynccontextmanager
async def connected(dialler: End | None = None, listener: End | None = None) -> AsyncIterator[tuple[Muxed, Muxed]]:
    """Two started connections, of the dialling and of the listening end; the block must be over in `PATIENCE_S`."""
    dialler, listener = dialler or End(), listener or End()
    dialled, accepted = await tcp_pair()
    ours, theirs = await both(dialler.upgrade(dialled, listener.peer_id), listener.upgrade(accepted))
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.start)
            nursery.start_soon(theirs.start)
            await ours.event_started.wait()
            await theirs.event_started.wait()
            yield ours, theirs
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def hostile_to_one() -> AsyncIterator[tuple[FastSession, FastMuxed]]:
    """A session whose owner writes what frames it likes, and the started connection that they come to."""
    dialler, listener = End(), End()
    dialled, accepted = await tcp_pair()
    hostile, victim = await both(dialler.upgrade(dialled, listener.peer_id), listener.upgrade(accepted))
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(victim.start)
            await victim.event_started.wait()
            yield hostile.secured_conn, victim
            nursery.cancel_scope.cancel()


async def read_to_end(stream: Any) -> bytes:
    """All up to the clean end; what else happens is raised."""
    parts = []
    while True:
        try:
            parts.append(await stream.read(65_536))
        except EOFError:
            return b"".join(parts)


async def serve(muxed: Muxed, handler: Callable[[Any], Awaitable[None]]) -> None:
    """Give each stream that arrives to `handler` until the connection ends."""
    async with trio.open_nursery() as nursery:
        while True:
            try:
                stream = await muxed.accept_stream()
            except Exception:
                return
            nursery.start_soon(handler, stream)


async def echo(stream: Any) -> None:
    """Read to the end and send the same back."""
    data = await read_to_end(stream)
    await stream.write(data)
    await stream.close()


def fast(muxed: Muxed) -> FastMuxed:
    assert isinstance(muxed, FastMuxed)
    return muxed
