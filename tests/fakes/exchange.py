"""A swarm by script: fakes of the `Exchange` and `Routing` ports and of the part of `Connections` that finding uses.

Each `ScriptedPeer` holds content and has a conduct: how it answers what it is asked. Time is trio's clock.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Collection, Iterable, Sequence
from typing import cast

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.errors import (
    LimitExceededError,
    PeerUnreachableError,
    ProtocolError,
    RequestTimeoutError,
    StreamResetError,
)
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.routing import ProvideResult
from chiral.interface.streams import ConnectionInfo, Connections
from chiral.transfer.finder import Finder
from chiral.transfer.swarm import Swarm
from tests.fakes.link import address
from tests.fakes.stream_node import peer_id

PROTOCOL = "/chiral/blocks/1.0.0"
MIB_BYTES = 1 << 20

Conduct = Callable[[CID, bytes | None], Awaitable[bytes | None]]
"""Answers a request for a CID, given what the peer holds under it."""


async def honest(cid: CID, held: bytes | None) -> bytes | None:
    return held


async def lying(cid: CID, held: bytes | None) -> bytes | None:
    """Other bytes of the same length."""
    return bytes(byte ^ 0xFF for byte in held or b"\x00")


async def shortening(cid: CID, held: bytes | None) -> bytes | None:
    """The block without its last byte, in an answer that is whole."""
    return (held or b"")[:-1]


async def lacking(cid: CID, held: bytes | None) -> bytes | None:
    return None


async def stalling(cid: CID, held: bytes | None) -> bytes | None:
    await trio.sleep_forever()


async def resetting(cid: CID, held: bytes | None) -> bytes | None:
    raise StreamResetError("the peer reset the stream")


async def garbling(cid: CID, held: bytes | None) -> bytes | None:
    raise ProtocolError("answer names 10 bytes and holds 3")


async def gone(cid: CID, held: bytes | None) -> bytes | None:
    raise PeerUnreachableError("no address of the peer answers")


class ScriptedPeer:
    """Peer `number`. Every answer takes `latency_s`; `most_in_flight` is how many it was ever asked at once."""

    def __init__(self, number: int, conduct: Conduct = honest, *, latency_s: float = 0.01) -> None:
        self.id = peer_id(number)
        self.info = PeerInfo(self.id, (address(number),))
        self.conduct = conduct
        self.latency_s = latency_s
        self.asked: list[CID] = []
        self.in_flight = self.most_in_flight = 0
        self._held: dict[bytes, bytes] = {}
        self._later: tuple[int, Conduct] | None = None

    def hold(self, blocks: Iterable[Block]) -> ScriptedPeer:
        self._held.update((block.cid.buffer, bytes(block.data)) for block in blocks)
        return self

    def hold_manifest(self, root: CID, manifest: bytes) -> ScriptedPeer:
        self._held[root.buffer] = manifest
        return self

    def after(self, requests: int, conduct: Conduct) -> ScriptedPeer:
        """Behave otherwise from the request after `requests` on."""
        self._later = (requests, conduct)
        return self

    async def answer(self, cid: CID) -> bytes | None:
        self.asked.append(cid)
        if self._later is not None and len(self.asked) > self._later[0]:
            self.conduct = self._later[1]
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await trio.sleep(self.latency_s)
            return await self.conduct(cid, self._held.get(cid.buffer))
        finally:
            self.in_flight -= 1


class ScriptedExchange:
    """The `Exchange` of one node with scripted peers."""

    def __init__(self, *, timeout_s: float = 30.0) -> None:
        self._peers: dict[PeerId, ScriptedPeer] = {}
        self._timeout_s = timeout_s

    def add(self, *peers: ScriptedPeer) -> None:
        self._peers.update((peer.id, peer) for peer in peers)

    async def fetch(self, peer: PeerId, cid: CID, *, limit_bytes: int) -> memoryview | None:
        with trio.move_on_after(self._timeout_s):
            answer = await self._peers[peer].answer(cid)
            if answer is None:
                return None
            if len(answer) > limit_bytes:
                raise LimitExceededError(f"the peer sent more than {limit_bytes} bytes on a stream")
            return memoryview(answer)
        raise RequestTimeoutError(f"{peer.short} did not answer for {cid} in {self._timeout_s:g} s")


class ScriptedRouting:
    """The `Routing` of one node: finds whom it was told of, after `delay_s` each; notes what is announced."""

    def __init__(self, *, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.lookups: list[tuple[bytes, ...]] = []
        self.announced: list[bytes] = []
        self.provided: list[list[bytes]] = []
        self.scheduled: list[list[bytes]] = []
        self.by_hand: set[bytes] = set()
        self.told = trio.Event()
        """Set, and then replaced, when something was announced."""
        self._providers: dict[bytes, list[PeerInfo]] = {}

    def knows(self, cid: CID, *peers: ScriptedPeer) -> None:
        """`peers` have announced `cid`."""
        self._providers.setdefault(cid.buffer, []).extend(peer.info for peer in peers)

    async def schedule(self, keys: Collection[bytes]) -> None:
        await trio.lowlevel.checkpoint()
        self.scheduled.append(list(keys))
        self._announce(keys)

    async def provide_only(self, batches: AsyncIterable[Collection[bytes]]) -> int:
        named: set[bytes] = set()
        async for keys in batches:
            await self.schedule(keys)
            named.update(keys)
        before = self.announced
        self.announced = [key for key in before if key in named or key in self.by_hand]
        return len(before) - len(self.announced)

    def _announce(self, keys: Collection[bytes]) -> None:
        self.announced += [key for key in keys if key not in self.announced]
        self.told.set()
        self.told = trio.Event()

    async def provide(self, keys: Sequence[bytes], *, by_hand: bool = True) -> list[ProvideResult]:
        await trio.sleep(self.delay_s)
        if by_hand:
            self.by_hand.update(keys)
        self.provided.append(list(keys))
        self._announce(keys)
        return [ProvideResult(key, 1, 1) for key in keys]

    async def stop_providing(self, keys: Sequence[bytes]) -> None:
        await trio.lowlevel.checkpoint()
        self.announced = [key for key in self.announced if key not in keys]

    async def find_providers(
        self, keys: Sequence[bytes], count: int, timeout_s: float
    ) -> AsyncGenerator[PeerInfo, None]:
        self.lookups.append(tuple(keys))
        found = {info.peer: info for key in keys for info in self._providers.get(key, ())}
        for info in list(found.values())[:count]:
            await trio.sleep(self.delay_s)
            yield info
        await trio.sleep(self.delay_s)

    async def find_peer(self, peer: PeerId) -> PeerInfo | None:
        await trio.lowlevel.checkpoint()
        return None

    async def closest_peers(self, key: bytes) -> list[PeerInfo]:
        await trio.lowlevel.checkpoint()
        return []


class ScriptedConnections:
    """What finding asks of `Connections`: who is connected, speaking what; and the address book."""

    def __init__(self) -> None:
        self.live: list[ConnectionInfo] = []
        self.book: dict[PeerId, tuple[bytes, ...]] = {}

    def connect(self, *peers: ScriptedPeer, protocols: tuple[str, ...] = (PROTOCOL,)) -> None:
        self.live += [
            ConnectionInfo(peer.id, peer.info.addrs[0], "outbound", 0.0, protocols=protocols) for peer in peers
        ]

    def connections(self) -> list[ConnectionInfo]:
        return list(self.live)

    def add_addrs(self, peer: PeerId, addrs: Iterable[bytes], *, ttl_s: float) -> None:
        self.book[peer] = tuple(addrs)


class ScriptedSwarm:
    """All of it joined for one node, peer number 0."""

    def __init__(self, *peers: ScriptedPeer, delay_s: float = 0.0, joined: bool = True) -> None:
        self.local = peer_id(0)
        self.exchange = ScriptedExchange()
        self.routing = ScriptedRouting(delay_s=delay_s)
        self.connections = ScriptedConnections()
        self.exchange.add(*peers)
        self.joined = trio.Event()
        if joined:
            self.joined.set()
        connections = cast(Connections, self.connections)
        self.finder = Finder(self.local, self.routing, connections, PROTOCOL, self.joined)
        self.swarm = Swarm(self.exchange, self.finder, max_block_bytes=2 * MIB_BYTES, max_manifest_bytes=32 * MIB_BYTES)
