"""The block protocol alone, many requests in flight and one after another, among all kinds of peers."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

from interop.bench import work
from interop.bench.requesters import Asking, open_provider, open_requester
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import NAMES, Run
from interop.bench.work import MIB_BYTES, TMPFS, pair
from interop.kinds import Kind

_SIZE_BYTES = 100 * MIB_BYTES
_IN_FLIGHT = (1, 16, 64)
_REQUESTS, _QUICK_REQUESTS = 1000, 200
PAIRS = (
    (Kind.PYTHON, Kind.PYTHON),
    (Kind.GO, Kind.GO),
    (Kind.RUST_NEWEST, Kind.RUST_NEWEST),
    (Kind.PYTHON, Kind.GO),
    (Kind.PYTHON, Kind.RUST_NEWEST),
    (Kind.PYTHON, Kind.RUST_054),
    (Kind.GO, Kind.PYTHON),
    (Kind.RUST_NEWEST, Kind.PYTHON),
)
"""Requester and provider. Two of Rust 0.54 with its defaults close their connection under each other."""


async def measure(run: Run) -> None:
    """Blocks at each number in flight, and the latency of one byte."""
    async with AsyncExitStack() as stack:
        turns = await _turns(run, stack)
        await take_turns(run, turns)


async def _turns(run: Run, stack: AsyncExitStack) -> list[Turn]:
    """Start whom the pairs need, and make a turn of each pair and work."""
    folder = run.folder(TMPFS, "blocks")
    pairs = [(asks, gives) for asks, gives in PAIRS if run.has(asks, gives)]
    providers = {
        kind: await stack.enter_async_context(open_provider(kind, folder / f"provider-{kind}", _SIZE_BYTES))
        for kind in dict.fromkeys(gives for _, gives in pairs)
    }
    requesters = {
        kind: await stack.enter_async_context(open_requester(kind, folder / f"requester-{kind}"))
        for kind in dict.fromkeys(asks for asks, _ in pairs)
    }
    turns = []
    for in_flight in _IN_FLIGHT:
        for asks, gives in pairs:
            asking, what = Asking(requesters[asks], providers[gives]), work.blocks(in_flight)
            turns.append(Turn(f"{what.name}, {asking.who}", partial(_blocks, asking, in_flight)))
    count = _QUICK_REQUESTS if run.options.quick else _REQUESTS
    for asks, gives in pairs:
        if gives is not Kind.RUST_054:  # it closes the connection after each answer
            asking = Asking(requesters[asks], providers[gives])
            turns.append(
                Turn(f"{work.LATENCY.name}, {pair(NAMES[asks], NAMES[gives])}", partial(_latency, asking, count))
            )
    return turns


async def _blocks(asking: Asking, in_flight: int, number: int) -> list[work.Sample]:
    return list(await asking.blocks(in_flight, work.blocks(in_flight)))


async def _latency(asking: Asking, count: int, number: int) -> list[work.Sample]:
    return list(await asking.latency(count))
