"""Peers that only ask for blocks, of every kind behind one face, and the provider that one of them asks."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from chiral.block.cid import CID
from interop.bench import filling
from interop.bench.run import NAMES
from interop.bench.timed import Timed, open_timed
from interop.bench.work import LATENCY, MIB_BYTES, Data, Sample, Work, pair
from interop.child import running
from interop.kinds import Kind
from interop.line_peer import LinePeer, open_line_peer

ONE_BYTE = b"."
_COMMAND_S = "180"


@dataclass(frozen=True, slots=True)
class Provider:
    """A running peer that holds a file (`root`, of `size` bytes) and a block of one byte."""

    kind: Kind
    pid: int
    addr: str
    root: str
    size: int

    @property
    def peer_id(self) -> str:
        """The id its address ends in."""
        return self.addr.rpartition("/")[2]

    def through(self, addr: str) -> Provider:
        """The same provider reached at another address."""
        return Provider(self.kind, self.pid, addr, self.root, self.size)


@dataclass(frozen=True, slots=True)
class Asking:
    """A requester and whom it asks."""

    requester: LinePeer
    provider: Provider

    @property
    def who(self) -> str:
        """What tables call the two."""
        return pair(NAMES[self.requester.kind], NAMES[self.provider.kind])

    async def blocks(self, in_flight: int, work: Work) -> Sequence[Sample]:
        """All blocks of the file once."""
        await self._connect()
        reply = await self.requester.command(
            "bench-blocks", self.provider.peer_id, self.provider.root, str(in_flight), timeout_s=float(_COMMAND_S)
        )
        if reply["bytes"] != self.provider.size:
            raise OSError(f"{reply['bytes']} bytes came instead of {self.provider.size}")
        return [Sample(work, self.who, reply["bytes"] / MIB_BYTES / reply["seconds"])]

    async def latency(self, count: int) -> Sequence[Sample]:
        """One byte, again and again."""
        await self._connect()
        reply = await self.requester.command("latency", self.provider.peer_id, str(CID.of(ONE_BYTE)), str(count))
        return [Sample(LATENCY, self.who, reply["median_s"] * 1000)]

    async def _connect(self) -> None:
        """Anew before each turn, because a peer may have closed the idle connection since the last."""
        await self.requester.command("connect", self.provider.addr)


async def provide(kind: Kind, peer: Timed, size: int, folder: Path) -> Provider:
    """Have `peer` add a file of random bytes, the same for every kind, and a file of one byte."""
    big, small = folder / "blocks.bin", folder / "byte.bin"
    await trio.to_thread.run_sync(filling.write, big, size, Data.RANDOM, f"blocks {size}")
    small.write_bytes(ONE_BYTE)
    added = await peer.add(big, announce=False)
    await peer.add(small, announce=False)
    big.unlink()
    return Provider(kind, peer.pid, peer.addrs[0], added.cid, size)


@asynccontextmanager
async def open_provider(kind: Kind, folder: Path, size: int) -> AsyncIterator[Provider]:
    """A running provider, alone: whoever asks it connects to it."""
    async with open_timed(kind, folder) as peer:
        yield await provide(kind, peer, size, folder)


@asynccontextmanager
async def open_requester(kind: Kind, folder: Path) -> AsyncIterator[LinePeer]:
    """A running requester; in Python one that keeps nothing, as the Rust and Go peers keep nothing in a benchmark."""
    await trio.Path(folder).mkdir(parents=True, exist_ok=True)
    if kind is not Kind.PYTHON:
        async with open_line_peer(kind, folder, (), ()) as peer:
            yield peer
        return
    async with running([sys.executable, "-m", "interop.bench.requester"], folder / "log") as child:
        requester = LinePeer(kind, child)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(requester.read_replies)
            yield requester
            nursery.cancel_scope.cancel()
