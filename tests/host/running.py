"""Hosts on loopback for tests, a peer that speaks raw bytes on streams, and streams in memory under a `HostStream`."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.identity.identify.pb.identify_pb2 import Identify

from chiral.block.varint import encode_varint
from chiral.clock import SystemClock
from chiral.errors import ChiralError
from chiral.events.bus import EventBus
from chiral.host.connection import Connection
from chiral.host.host import Host
from chiral.host.identity import new_identity, peer_id_of
from chiral.host.multistream import opening
from chiral.host.settings import HostSettings
from chiral.host.upgrade import Upgrader
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.streams import Stream

LOOPBACK = "/ip4/127.0.0.1/tcp/0"
ECHO = "/test/echo/1.0.0"
ANSWER = "/test/answer/1.0.0"
TEST_S = 60
"""How long a whole test may take before something is taken to hang."""


def make_host(number: int, *, bus: EventBus | None = None, **settings: Any) -> Host:
    """A host with the identity of `number` that listens on a free port of loopback."""
    chosen = HostSettings(**{"listen": (LOOPBACK,), **settings})
    return Host(chosen, new_identity(bytes([number]) * 32), SystemClock(), bus or EventBus(), f"chiral/test-{number}")


def info_of(host: Host) -> PeerInfo:
    return PeerInfo(host.local_peer, host.listen_addrs())


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def echo(stream: Stream) -> None:
    await stream.finish(await stream.read_to_end(1 << 20))


class Identified:
    """Counts whom a host has identified; `until` waits."""

    def __init__(self, host: Host) -> None:
        self.peers: list[Any] = []
        self._changed = trio.Event()
        host.on_identified(self._heard)

    def _heard(self, peer: Any) -> None:
        self.peers.append(peer)
        self._changed.set()
        self._changed = trio.Event()

    async def until(self, count: int) -> None:
        with trio.fail_after(20):
            while len(self.peers) < count:
                await self._changed.wait()


@asynccontextmanager
async def running(*hosts: Host) -> AsyncIterator[None]:
    """All of `hosts` listen and serve within the block."""
    if not hosts:
        yield
        return
    async with hosts[0].run(), running(*hosts[1:]):
        yield


@asynccontextmanager
async def acquainted(dialler: Host, listener: Host) -> AsyncIterator[None]:
    """Both run, are connected and have identified each other."""
    theirs, ours = Identified(dialler), Identified(listener)
    async with running(dialler, listener):
        await dialler.connect(info_of(listener))
        await theirs.until(1)
        await ours.until(1)
        yield


async def settled(condition: Callable[[], bool]) -> None:
    """Return when `condition()` holds; fail after a while. Other tasks run meanwhile."""
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110  (what is waited for has no event)
            await trio.sleep(0.001)


RawHandler = Callable[[Any], Awaitable[None]]


async def refuse(muxed: Any) -> None:
    await muxed.reset()


class RawPeer:
    """Somebody connected to a host who is no host: its streams carry whatever bytes the test writes.

    `answering` lives with each stream that the host opens; it may be changed at any time.
    """

    def __init__(self, connection: Connection, answering: RawHandler) -> None:
        self.connection = connection
        self.answering = answering
        self.answered = 0

    @property
    def frames_received(self) -> int:
        return self.connection._muxed.machine.frames_received

    async def serve(self, muxed: Any, peer: PeerId, addr: bytes | None) -> None:
        with suppress(BaseLibp2pError, ChiralError):
            await self.answering(muxed)
        self.answered += 1

    async def identified(self, host: Host) -> None:
        """Return when the host has asked who this is, and heard nothing."""
        await settled(lambda: self.answered > 0 and host.connections()[0].streams == 0)

    async def open(self) -> Any:
        return await self.connection.open()

    async def ask(self, protocol: str, payload: bytes) -> bytes:
        """One honest request; raises py-libp2p's errors."""
        muxed = await self.open()
        await muxed.finish(opening(protocol) + payload)
        answer: bytes = await muxed.read_all(1 << 25)
        assert answer.startswith(opening(protocol))
        return answer[len(opening(protocol)) :]

    async def claim(self, *protocols: str) -> None:
        """Push an identity that speaks `protocols`; returns when the host has taken it."""
        message = Identify(agent_version="chiral/raw", protocols=protocols).SerializeToString()
        await self.ask("/ipfs/id/push/1.0.0", encode_varint(len(message)) + message)


@asynccontextmanager
async def raw_peer(host: Host, *, number: int = 99, answering: RawHandler = refuse) -> AsyncIterator[RawPeer]:
    """A raw peer that has dialled `host`."""
    addr = host.listen_addrs()[0]
    upgrader = Upgrader(new_identity(bytes([number]) * 32), SystemClock())
    tcp = await trio.open_tcp_stream("127.0.0.1", int.from_bytes(addr[-2:], "big"))
    connection = await upgrader.outbound(tcp, host.local_peer, addr)
    raw: Any = RawPeer(connection, answering)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        nursery.start_soon(connection.serve, raw)
        yield raw
        await connection.close()
        nursery.cancel_scope.cancel()


def raw_id(number: int = 99) -> PeerId:
    """The peer id of the raw peer `number`."""
    return peer_id_of(new_identity(bytes([number]) * 32))
