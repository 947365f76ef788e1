"""A process that asks for blocks and keeps none: Chiral's host and block client behind the lines of the Go peer.

It knows `connect`, `bench-blocks` and `latency` as `interop/README.md` has them and does in each what the Go peer does:
no block is verified, and a request that a closing connection cut off is sent again.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import trio

from chiral.block.cid import CID
from chiral.clock import SystemClock
from chiral.dag.file_info import FileInfo
from chiral.errors import (
    ChiralError,
    NotFoundError,
    PeerUnreachableError,
    ProtocolError,
    StreamResetError,
    sole_error,
)
from chiral.events.bus import EventBus
from chiral.exchange.client import BlockClient
from chiral.exchange.settings import ExchangeSettings
from chiral.host.addresses import address_text, parse_peer_address
from chiral.host.host import Host
from chiral.host.identity import new_identity
from chiral.host.settings import HostSettings
from chiral.interface.peer import PeerId, PeerInfo
from chiral.node.allocator import keep_blocks_in_heap

_LISTEN = ("/ip4/127.0.0.1/tcp/0",)
_AGENT = "chiral-bench/0.1.0"
_READ_BYTES = 65_536
_PAUSES_S = (0.02, 0.04, 0.08, 0.16)
"""The Go peer's own, before each further try."""
_CONNECTION_FAULTS = (StreamResetError, PeerUnreachableError)

Reply = dict[str, Any]


class Requester:
    """The commands, on a running host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._limits = ExchangeSettings()
        self._client = BlockClient(host, self._limits)
        self._commands: Mapping[str, Callable[..., Awaitable[Reply]]] = {
            "connect": self.connect,
            "bench-blocks": self.bench_blocks,
            "latency": self.latency,
        }

    async def reply(self, line: str) -> Reply:
        """The reply to one line, `ID WORD ARGUMENT...`; what goes wrong is in it."""
        number, word, *arguments = line.split()
        try:
            return {"id": int(number), "ok": True, **await self._commands[word](*arguments)}
        except (ChiralError, KeyError, TypeError, ValueError) as error:
            return {"id": int(number), "ok": False, "error": f"{type(error).__name__}: {error}"}

    async def connect(self, addr: str) -> Reply:
        """Be connected to the peer at `addr`."""
        peer, address = parse_peer_address(addr)
        await self._host.connect(PeerInfo(peer, (address,)))
        return {"peer_id": str(peer)}

    async def bench_blocks(self, peer_text: str, root_text: str, in_flight: str) -> Reply:
        """All chunks of a file, `in_flight` at once; seconds from the first request to the last answer."""
        peer, root = PeerId.parse(peer_text), CID.parse(root_text)
        info = FileInfo.parse(bytes(await self._fetch(peer, root, self._limits.max_manifest_bytes)))
        if not info.verify(root):
            raise ProtocolError("the FileInfo's chunks do not give the root that was asked for")
        wanted = iter(info.chunk_cids)
        sums: list[int] = []
        started = time.perf_counter()
        with sole_error():
            async with trio.open_nursery() as nursery:
                for _ in range(int(in_flight)):
                    nursery.start_soon(self._work, peer, wanted, sums)
        return {"bytes": sum(sums), "seconds": time.perf_counter() - started}

    async def latency(self, peer_text: str, cid_text: str, count: str) -> Reply:
        """The median of `count` requests for one block, one after another."""
        peer, cid = PeerId.parse(peer_text), CID.parse(cid_text)
        seconds = []
        for _ in range(int(count)):
            started = time.perf_counter()
            await self._fetch(peer, cid, self._limits.max_block_bytes)
            seconds.append(time.perf_counter() - started)
        return {"median_s": statistics.median(seconds)}

    async def _work(self, peer: PeerId, wanted: Iterator[CID], sums: list[int]) -> None:
        sums.append(sum([len(await self._fetch(peer, cid, self._limits.max_block_bytes)) for cid in wanted]))

    async def _fetch(self, peer: PeerId, cid: CID, limit_bytes: int) -> memoryview:
        for pause_s in _PAUSES_S:
            try:
                return await self._once(peer, cid, limit_bytes)
            except _CONNECTION_FAULTS:
                await trio.sleep(pause_s)
        return await self._once(peer, cid, limit_bytes)

    async def _once(self, peer: PeerId, cid: CID, limit_bytes: int) -> memoryview:
        block = await self._client.fetch(peer, cid, limit_bytes=limit_bytes)
        if block is None:
            raise NotFoundError(f"{peer} does not hold {cid}")
        return block


def ready_line(host: Host) -> Reply:
    """What it says first."""
    addrs = [f"{address_text(addr)}/p2p/{host.local_peer}" for addr in host.listen_addrs()]
    return {"event": "ready", "peer_id": str(host.local_peer), "addrs": addrs, "bootstrapped": 0}


async def lines_of(stream: trio.abc.ReceiveStream) -> Sequence[str]:
    """The whole lines that one read brings; the driver writes each line at once. Empty at the end."""
    data = await stream.receive_some(_READ_BYTES)
    return bytes(data).decode().splitlines()


async def serve() -> None:
    """Answer lines one after another until stdin ends."""
    keep_blocks_in_heap()  # as a node does
    host = Host(HostSettings(listen=_LISTEN), new_identity(), SystemClock(), EventBus(), _AGENT)
    async with host.run():
        requester = Requester(host)
        print(json.dumps(ready_line(host)), flush=True)
        stdin = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))
        while lines := await lines_of(stdin):
            for line in lines:
                print(json.dumps(await requester.reply(line)), flush=True)


if __name__ == "__main__":
    trio.run(serve)
