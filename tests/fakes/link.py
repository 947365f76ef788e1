"""A connection between two fake nodes, and the streams on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

import trio

from chiral.errors import LimitExceededError
from chiral.interface.peer import PeerId
from chiral.interface.streams import Direction, StreamHandler
from tests.fakes.pipe import Pipe


class End(Protocol):
    """What a connection needs to know of the node at one of its ends."""

    number: int
    closes_idle: bool
    sent_bytes: Counter[str]
    handlers: dict[str, StreamHandler]

    @property
    def local_peer(self) -> PeerId: ...

    def listen_addrs(self) -> tuple[bytes, ...]: ...

    async def answer(self, stream: FakeStream, handler: StreamHandler) -> None: ...

    def identified(self, remote: End) -> None: ...

    def lost(self, connection: Connection) -> None: ...


class Network(Protocol):
    """What a connection needs to know of the network it runs through."""

    latency_s: float

    def is_stalled(self, peer: PeerId) -> bool: ...


def address(number: int, port: int = 4001) -> bytes:
    """The binary multiaddr /ip4/10.x.y.z/tcp/port of peer `number`."""
    return b"\x04\x0a" + number.to_bytes(3, "big") + b"\x06" + port.to_bytes(2, "big")


class FakeStream:
    """One side of a stream between two fake nodes."""

    def __init__(self, connection: Connection, local: End, protocol: str, incoming: Pipe, outgoing: Pipe) -> None:
        self._connection = connection
        self.local = local
        self._protocol = protocol
        self._incoming = incoming
        self._outgoing = outgoing
        self._written = self._unread = False
        self.was_reset = False

    @property
    def peer(self) -> PeerId:
        return self._connection.other(self.local).local_peer

    @property
    def protocol(self) -> str:
        return self._protocol

    @property
    def remote_addr(self) -> bytes | None:
        return self._connection.remote_addr(self.local)

    async def read(self, max_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint()
        data = await self._incoming.receive(max_bytes)
        if not data:
            self._done(read=True)
        return data

    async def read_to_end(self, limit_bytes: int) -> bytes:
        parts = bytearray()
        while data := await self.read(65_536):
            parts += data
            if len(parts) > limit_bytes:
                raise LimitExceededError(f"answer is over {limit_bytes} bytes")
        return bytes(parts)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self.local.sent_bytes[self._protocol] += len(data)
        if self._connection.swarm.is_stalled(self.peer):
            return  # into the void: a stalled peer's machine takes bytes that its program never reads
        await self._outgoing.send(bytes(data), self._connection.swarm.latency_s)

    async def finish(self, data: bytes | bytearray | memoryview = b"") -> None:
        if data:
            await self.write(data)
        if not self._connection.swarm.is_stalled(self.peer):
            self._outgoing.end(self._connection.swarm.latency_s)
        self._done(written=True)

    async def close(self) -> None:
        await self.finish()
        self._done(read=True, written=True)

    async def reset(self) -> None:
        self.break_()

    def break_(self) -> None:
        """End both sides at once."""
        self.was_reset = True
        self._incoming.break_()
        self._outgoing.break_()
        self._done(read=True, written=True)

    def _done(self, *, read: bool = False, written: bool = False) -> None:
        self._unread |= read
        self._written |= written
        if self._unread and self._written:
            self._connection.forget(self)


@dataclass(eq=False)
class Connection:
    """A live connection; `dialled` is the address the dialler used, `from_port` the dialler's own ephemeral one."""

    swarm: Network
    dialler: End
    listener: End
    dialled: bytes
    from_port: int
    since: float
    streams: set[FakeStream] = field(default_factory=set)
    alive: bool = True

    def other(self, node: End) -> End:
        return self.listener if node is self.dialler else self.dialler

    def remote_addr(self, node: End) -> bytes:
        return self.dialled if node is self.dialler else address(self.dialler.number, self.from_port)

    def direction(self, node: End) -> Direction:
        return "outbound" if node is self.dialler else "inbound"

    def forget(self, stream: FakeStream) -> None:
        self.streams.discard(stream)
        if not self.streams and (self.dialler.closes_idle or self.listener.closes_idle):
            self.close()

    def close(self) -> None:
        if not self.alive:
            return
        self.alive = False
        for stream in list(self.streams):
            stream.break_()
        for node in (self.dialler, self.listener):
            node.lost(self)
