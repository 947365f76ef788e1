"""The same work over a long line: every byte 20 ms late each way, where only windows that grow can keep it full."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from interop.bench import work
from interop.bench.ends import Ends
from interop.bench.requesters import Asking, Provider, open_requester, provide
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import NAMES, Run
from interop.bench.timed import Timed, open_timed
from interop.bench.work import MIB_BYTES, TMPFS, Data, Sample, pair
from interop.child import Child, PeerError, running
from interop.kinds import Kind

_KINDS = (Kind.PYTHON, Kind.GO, Kind.RUST_NEWEST)
_DELAY_MS = 20.0
_SIZE_BYTES = 100 * MIB_BYTES
_SLOW_SIZE_BYTES = 10 * MIB_BYTES
"""For one request at a time: every block waits for the line's length and more."""
_IN_FLIGHT = (16, 64)
_ROUNDS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A delaying proxy and the provider's address through it."""

    proxy: Child
    addr: str

    async def passed_bytes(self) -> int:
        """How much has gone through it so far."""
        await self.proxy.write_line("bytes")
        line = await self.proxy.read_line()
        if line is None:
            raise PeerError("the proxy is gone")
        return int(line["bytes"])


@asynccontextmanager
async def open_line(peer: Timed, folder: Path) -> AsyncIterator[Line]:
    """A proxy in front of `peer`, the first of whose addresses is /ip4/HOST/tcp/PORT/p2p/ID."""
    _, _, host, _, port, _, peer_id = peer.addrs[0].split("/")
    command = [sys.executable, "-m", "interop.bench.proxy", "--to", f"{host}:{port}", "--delay-ms", str(_DELAY_MS)]
    async with running(command, folder / "proxy.log") as proxy:
        yield Line(proxy, f"/ip4/127.0.0.1/tcp/{proxy.ready['port']}/p2p/{peer_id}")


async def measure(run: Run) -> None:
    """Blocks and a whole file between peers of one kind; the fetcher's only way to the provider is the proxy."""
    folder = run.folder(TMPFS, "delay")
    async with AsyncExitStack() as stack:
        by_kind = [await _turns_of(kind, folder / kind, stack) for kind in _KINDS if run.has(kind)]
        turns = [turn for same_work in itertools.zip_longest(*by_kind) for turn in same_work if turn is not None]
        await take_turns(run, turns, rounds=min(_ROUNDS, run.options.rounds), warm_up=False)


async def _turns_of(kind: Kind, folder: Path, stack: AsyncExitStack) -> list[Turn]:
    """One provider for blocks and one for files, since memory is given back after each file."""
    giving = await stack.enter_async_context(open_timed(kind, folder / "blocks"))
    line = await stack.enter_async_context(open_line(giving, folder / "blocks"))
    requester = await stack.enter_async_context(open_requester(kind, folder / "requester"))
    small, big = [
        (await provide(kind, giving, size, folder)).through(line.addr) for size in (_SLOW_SIZE_BYTES, _SIZE_BYTES)
    ]
    asked: list[tuple[int, Provider]] = [(1, small), *((count, big) for count in _IN_FLIGHT)]
    who = pair(NAMES[kind], NAMES[kind])
    turns = [
        Turn(f"blocks, {count} in flight, late, {who}", partial(_blocks, line, Asking(requester, provider), count))
        for count, provider in asked
    ]
    if kind is Kind.RUST_NEWEST:  # it closes an idle connection and comes back by an address that it was told
        return turns
    provider = await stack.enter_async_context(open_timed(kind, folder / "provider"))
    line = await stack.enter_async_context(open_line(provider, folder / "provider"))
    fetcher = await stack.enter_async_context(open_timed(kind, folder / "fetcher", bootstrap=[line.addr]))
    return [*turns, Turn(f"get, late, {who}", partial(_get, line, Ends(who, provider, fetcher, folder)))]


async def _blocks(line: Line, asking: Asking, in_flight: int, number: int) -> Sequence[Sample]:
    before = await line.passed_bytes()
    samples = await asking.blocks(in_flight, work.delayed(work.blocks(in_flight), _DELAY_MS))
    await _must_have_passed(line, before, asking.provider.size)
    return samples


async def _get(line: Line, ends: Ends, number: int) -> Sequence[Sample]:
    put = await ends.put(_SIZE_BYTES, Data.RANDOM, f"late {number}")
    before = await line.passed_bytes()
    got = await ends.fetch(put)
    await _must_have_passed(line, before, _SIZE_BYTES)
    return [Sample(work.delayed(work.get(_SIZE_BYTES), _DELAY_MS), ends.who, _SIZE_BYTES / MIB_BYTES / got.seconds)]


async def _must_have_passed(line: Line, before: int, size: int) -> None:
    """Peers tell each other their addresses: one that found a shorter way would make the figure worthless."""
    passed = await line.passed_bytes() - before
    if passed < size:
        raise PeerError(f"of {size} bytes only {passed} went the long way")
