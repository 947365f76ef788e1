"""A node that has nothing to do: how soon it is ready, what memory it holds, what CPU it uses."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import trio

from interop.bench import work
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import NAMES, Run
from interop.bench.timed import open_timed
from interop.bench.usage import cpu_seconds_of, memory_of, settled
from interop.bench.work import TMPFS, Sample
from interop.build import ensure
from interop.child import running
from interop.kinds import Kind

_KINDS = (Kind.PYTHON, Kind.GO, Kind.RUST_NEWEST)
_WATCH_S = 10.0
_WATCHES = 3
_CALM_S = 1.0
_LISTEN = ("--listen", "/ip4/127.0.0.1/tcp/0")


async def measure(run: Run) -> None:
    """Starts one after another, then one of each kind left to itself in a swarm."""
    folder = run.folder(TMPFS, "idle")
    commands = {kind: await _command(kind, folder) for kind in _KINDS if run.has(kind)}
    starts = [
        Turn(f"start, {NAMES[kind]}", partial(_start, kind, command, folder)) for kind, command in commands.items()
    ]
    await take_turns(run, starts)
    await _leave_alone(run, list(commands), folder)


async def _command(kind: Kind, folder: Path) -> Sequence[str]:
    if kind is Kind.PYTHON:
        return (sys.executable, "-m", "chiral", "run", "--json", "--data", str(folder / "data"), *_LISTEN)
    return (str(await trio.to_thread.run_sync(ensure, kind)), *_LISTEN)


async def _start(kind: Kind, command: Sequence[str], folder: Path, number: int) -> Sequence[Sample]:
    """From nothing: an empty data directory, a new identity; until it says that it is ready."""
    started = time.perf_counter()
    try:
        async with running(command, folder / f"{kind}.log") as child:
            ready = time.perf_counter() - started
            await trio.sleep(_CALM_S)
            memory = memory_of(child.pid)
    finally:
        shutil.rmtree(folder / "data", ignore_errors=True)
    return [Sample(work.START, NAMES[kind], ready), Sample(work.IDLE_MEMORY, NAMES[kind], memory.rss)]


async def _leave_alone(run: Run, kinds: Sequence[Kind], folder: Path) -> None:
    """All at the same time, because they do nothing; joined, so that they have the connections of a node in a swarm."""
    async with AsyncExitStack() as stack:
        bootstrap = await stack.enter_async_context(open_timed(Kind.PYTHON, folder / "bootstrap"))
        joined = bootstrap.addrs[:1]
        pids = {
            kind: (await stack.enter_async_context(open_timed(kind, folder / kind, bootstrap=joined))).pid
            for kind in kinds
        }
        await settled(pids.values())
        watch = Turn("idle CPU", partial(_watch, pids))
        await take_turns(run, [watch], rounds=min(_WATCHES, run.options.rounds), warm_up=False)


async def _watch(pids: dict[Kind, int], number: int) -> Sequence[Sample]:
    before = {kind: cpu_seconds_of([pid]) for kind, pid in pids.items()}
    await trio.sleep(_WATCH_S)
    used = {kind: cpu_seconds_of([pid]) - before[kind] for kind, pid in pids.items()}
    return [Sample(work.IDLE_CPU, NAMES[kind], 100 * seconds / _WATCH_S) for kind, seconds in used.items()]
