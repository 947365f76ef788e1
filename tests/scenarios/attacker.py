"""A peer that attacks a node with frames of its own making, as a process of its own, on connections of its own.

It dials under a new identity each time, from a few loopback addresses that nobody else uses, and writes raw Yamux
frames into the Noise session. Lines on stdin, each a JSON
object, each answered with one: `{"target": ADDRESS}`, `{"attack": NAME, "seconds": S}`, `{"burn": SHARE, "seconds": S}`
(use so much of a core and attack nobody), `{"hold": COUNT}` and `{"held": S}` (see `Held`).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID

from chiral.block.cid import CID
from chiral.errors import ChiralError
from chiral.exchange.codec import PROTOCOL as BLOCKS
from chiral.exchange.codec import encode_request
from chiral.host.addresses import endpoint_of, parse_peer_address
from chiral.host.ping import PROTOCOL as PING_PROTOCOL
from chiral.host.secured import FastSession
from chiral.yamux.frame import FIN, GO_AWAY, INITIAL_WINDOW_BYTES, WINDOW_UPDATE, GoAwayCode, header
from chiral.yamux.reader import FrameReader
from tests.host.wire import End
from tests.scenarios.floods import FLOODS, WITHIN, one_byte_frames, opening

SOURCES = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
"""Where it dials from, one connection from each at a time, dialled again the moment it is cut off."""
PATIENCE_S = 20.0
"""How long it tries to have each of its floods answered: an address that broke the rules is let in once a second."""
FLOOD_FRAMES = 8192
GONE = (ChiralError, BaseLibp2pError, OSError, trio.BrokenResourceError, trio.TooSlowError)


@dataclass
class Tally:
    """How connections ended: refused, told of a protocol error, or cut off without a word that arrived.

    `errors` counts those that were told by the number of what was written; `frames` those that broke no rule.
    """

    dialled: int = 0
    refused: int = 0
    cut: int = 0
    frames: int = 0
    errors: dict[int, int] = field(default_factory=dict)
    more: trio.Event = field(default_factory=trio.Event)
    """Set when there is one more error."""

    def shown(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "more"}


class Incoming:
    """What the node says on a connection: whether it told of an error, and what it gives to stream 1."""

    def __init__(self) -> None:
        self.error = False
        self.credit = 0
        self._reader = FrameReader(self)

    def take_header(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        self.error |= kind == GO_AWAY and length == GoAwayCode.PROTOCOL_ERROR
        if kind == WINDOW_UPDATE and stream_id == 1:
            self.credit += length

    def take_payload(self, message: memoryview, start: int, stop: int, left: int) -> None:
        pass

    async def follow(self, session: FastSession, moved: Callable[[], object] = lambda: None) -> None:
        """Read until the connection ends."""
        with suppress(*GONE):
            while True:
                for message in await session.receive():
                    self._reader.read(message)
                moved()


class Attacker:
    def __init__(self, target: str) -> None:
        peer, addr = parse_peer_address(target)
        endpoint = endpoint_of(addr)
        assert endpoint is not None
        self._peer, self._endpoint = ID(peer.raw), endpoint
        self._held: list[Held] = []

    @asynccontextmanager
    async def dialled(self, source: str) -> AsyncIterator[FastSession]:
        """A connection from `source` under an identity of its own."""
        async with await self._tcp(source) as tcp:
            yield (await End().upgrade(tcp, self._peer)).secured_conn

    async def _tcp(self, source: str) -> trio.SocketStream:
        return await trio.open_tcp_stream(self._endpoint.host, self._endpoint.port, local_address=source)

    async def attack(self, name: str, seconds: float) -> dict[str, Any]:
        """Go on for so long, from all sources at once, and until each flood has been answered by an error."""
        tally, started, began = Tally(), time.process_time(), trio.current_time()
        wanted = set(range(len(FLOODS.get(name, ()))))
        async with trio.open_nursery() as nursery:
            for source in SOURCES:
                nursery.start_soon(self._again_and_again, name, source, tally)
            with trio.move_on_after(PATIENCE_S):
                await trio.sleep(seconds)
                while not wanted <= set(tally.errors):
                    await tally.more.wait()
            nursery.cancel_scope.cancel()
        return {**tally.shown(), "seconds": trio.current_time() - began, "cpu_s": time.process_time() - started}

    async def _again_and_again(self, name: str, source: str, tally: Tally) -> None:
        while True:
            number, tally.dialled = tally.dialled, tally.dialled + 1
            try:
                async with self.dialled(source) as session:
                    if name == WITHIN:
                        await self._within_the_window(session, tally)
                    else:
                        await self._flood(session, FLOODS[name], number, tally)
            except GONE:
                tally.refused += 1
            await trio.lowlevel.checkpoint()

    async def _flood(self, session: FastSession, floods: Sequence[bytes], number: int, tally: Tally) -> None:
        """Write all at once, and read until the node ends the connection."""
        incoming, which = Incoming(), number % len(floods)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_write, session, floods[which])
            await incoming.follow(session)
            nursery.cancel_scope.cancel()
        if incoming.error:
            tally.errors[which] = tally.errors.get(which, 0) + 1
            tally.more.set()
            tally.more = trio.Event()
        else:
            tally.cut += 1

    async def _within_the_window(self, session: FastSession, tally: Tally) -> None:
        """One-byte frames for the ping service, as many as the node gives credit for: no rule is broken."""
        incoming, room = Incoming(), INITIAL_WINDOW_BYTES - 64
        lot = trio.lowlevel.ParkingLot()
        flood = one_byte_frames(FLOOD_FRAMES, 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_follow_then_cancel, incoming, session, lot.unpark_all, nursery.cancel_scope)
            await _write(session, opening(PING_PROTOCOL, 1) + header(WINDOW_UPDATE, 0, 1, 1 << 30))
            while True:
                while room + incoming.credit < FLOOD_FRAMES:
                    await lot.park()
                room -= FLOOD_FRAMES
                await _write(session, flood)
                tally.frames += FLOOD_FRAMES

    async def hold(self, wanted: Sequence[str]) -> dict[str, Any]:
        """Ask for `wanted` and never read; and beside it a connection that never says anything at all."""
        for requests in (wanted, ()):
            held = Held(requests)
            await held.begin(await self._tcp(SOURCES[0]), self._peer)
            self._held.append(held)
        return {"held": len(self._held)}

    async def held(self, seconds: float) -> dict[str, Any]:
        """Whether the node has ended what was held, within so many seconds."""
        ended = 0
        with trio.move_on_after(seconds):
            for held in self._held:
                await held.ended()
                ended += 1
        return {"ended": ended, "of": len(self._held)}


class Held:
    """A connection that is left alone: nothing is read from it, no ping answered."""

    def __init__(self, wanted: Sequence[str]) -> None:
        self._wanted = wanted
        self._session: FastSession | None = None

    async def begin(self, tcp: trio.SocketStream, peer: ID) -> None:
        session = (await End().upgrade(tcp, peer)).secured_conn
        self._session = session
        for number, cid in enumerate(self._wanted):
            await session.write(opening(BLOCKS, 2 * number + 1, encode_request(CID.parse(cid)), FIN))

    async def ended(self) -> None:
        """Read now, if only to see the end."""
        assert self._session is not None
        await Incoming().follow(self._session)


async def _write(session: FastSession, data: bytes) -> None:
    with suppress(*GONE):
        await session.write(data)


async def _follow_then_cancel(
    incoming: Incoming, session: FastSession, moved: Callable[[], object], scope: trio.CancelScope
) -> None:
    await incoming.follow(session, moved)
    scope.cancel()


def burn(share: float, seconds: float) -> dict[str, Any]:
    """Use `share` of a core."""
    end = time.perf_counter() + seconds
    started = time.process_time()
    while (now := time.perf_counter()) < end:
        rest = now + 0.01 * share
        while time.perf_counter() < rest:
            pass
        if share < 1:
            time.sleep(0.01 * (1 - share))
    return {"cpu_s": time.process_time() - started}


async def main() -> None:
    logging.disable()  # a handshake that is refused is no news here
    stdin = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))
    buffer = b""
    attacker: Attacker | None = None
    while True:
        while b"\n" not in buffer:
            more = await stdin.receive_some(65_536)
            if not more:
                return
            buffer += more
        line, _, buffer = buffer.partition(b"\n")
        order = json.loads(line)
        match order:
            case {"target": target}:
                attacker = Attacker(target)
                answer: dict[str, Any] = {"ready": True}
            case {"burn": share, "seconds": seconds}:
                answer = burn(share, seconds)
            case {"attack": name, "seconds": seconds} if attacker:
                answer = await attacker.attack(name, seconds)
            case {"hold": wanted} if attacker:
                answer = await attacker.hold(wanted)
            case {"held": seconds} if attacker:
                answer = await attacker.held(seconds)
            case _:
                raise ValueError(order)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    trio.run(main)
