"""Asks any peer by wire what it knows and holds; serves no DHT itself, so that it comes into nobody's table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import trio

from chiral.block.varint import decode_varint, encode_varint
from chiral.clock import SystemClock
from chiral.errors import RemoteError
from chiral.events.bus import EventBus
from chiral.host.addresses import parse_peer_address
from chiral.host.host import Host
from chiral.host.identity import new_identity
from chiral.host.settings import HostSettings
from chiral.interface.peer import PeerId, PeerInfo
from chiral.kad.messages import Message, MessageType, PeerEntry, decode_message, encode_message

KAD = "/ipfs/kad/1.0.0"
_AGENT = "chiral-asker/0.1.0"
_LISTEN = "/ip4/127.0.0.1/tcp/0"
_ANSWER_BYTES = 1 << 17
_ANSWER_S = 10.0
_TRIES = 8
_AT_ONCE = 8
_PAUSE_S = 0.05


class Asker:
    """One question, one peer, one answer."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def providers(self, addr: str, key: bytes) -> set[str]:
        """Whom the peer at `addr` lists as providers of `key`; raises `RemoteError` or `trio.TooSlowError`."""
        return _ids((await self._ask(addr, Message(MessageType.GET_PROVIDERS, key))).providers)

    async def closest(self, addr: str, key: bytes) -> set[str]:
        """The peers that the peer at `addr` calls closest to `key`; raises as `providers`."""
        return _ids((await self._ask(addr, Message(MessageType.FIND_NODE, key))).closer)

    async def holders(self, addrs: Iterable[str], key: bytes, provider: str) -> set[str]:
        """Which of the peers at `addrs`, by id, list `provider` as one of `key`; raises as `providers`."""
        holding: set[str] = set()
        places = trio.CapacityLimiter(_AT_ONCE)

        async def look(addr: str) -> None:
            async with places:
                if provider in await self.providers(addr, key):
                    holding.add(addr.rpartition("/")[2])

        async with trio.open_nursery() as nursery:
            for addr in addrs:
                nursery.start_soon(look, addr)
        return holding

    async def _ask(self, addr: str, message: Message) -> Message:
        peer, where = parse_peer_address(addr)
        data = encode_message(message)
        with trio.fail_after(_ANSWER_S):
            for _ in range(_TRIES):
                try:
                    await self._host.connect(PeerInfo(peer, (where,)))
                    answer = await self._host.request(
                        peer, KAD, encode_varint(len(data)) + data, limit_bytes=_ANSWER_BYTES
                    )
                    length, start = decode_varint(answer)
                    return decode_message(answer[start : start + length])
                except RemoteError as error:  # a peer that closes idle connections may do so under the question
                    failure = error
                    await trio.sleep(_PAUSE_S)
        raise failure


def _ids(entries: Iterable[PeerEntry]) -> set[str]:
    return {str(PeerId.from_bytes(entry.id)) for entry in entries}


@asynccontextmanager
async def open_asker() -> AsyncIterator[Asker]:
    """A host of its own, alive within the block."""
    host = Host(HostSettings(listen=(_LISTEN,)), new_identity(), SystemClock(), EventBus(), _AGENT)
    async with host.run():
        yield Asker(host)
