"""Ten thousand small files added by one command."""

from __future__ import annotations

import contextlib
import io
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import trio

from chiral.cli import main as command_line
from interop.bench import filling, work
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import NAMES, Run
from interop.bench.timed import Timed, TimedNode, open_timed
from interop.bench.usage import settled
from interop.bench.work import TMPFS, Sample
from interop.child import PeerError
from interop.kinds import Kind

_FILES, _QUICK_FILES = 10_000, 1_000
_ROUNDS = 3
"""Each takes long, and that evens it out by itself."""
_KINDS = (Kind.PYTHON, Kind.GO, Kind.RUST_NEWEST)

AddAll = Callable[[Sequence[Path]], Awaitable[float]]


async def measure(run: Run) -> None:
    """The Python node by `chiral add` with all the paths; the others one `add` after another, their own seconds."""
    folder = run.folder(TMPFS, "small")
    async with AsyncExitStack() as stack:
        turns = []
        for kind in filter(run.has, _KINDS):
            peer = await stack.enter_async_context(open_timed(kind, folder / kind))
            turns.append(Turn(f"small files, {NAMES[kind]}", partial(_play, run, kind, peer, folder)))
        await take_turns(run, turns, rounds=min(_ROUNDS, run.options.rounds), warm_up=False)


async def _play(run: Run, kind: Kind, peer: Timed, folder: Path, number: int) -> Sequence[Sample]:
    count = _QUICK_FILES if run.options.quick else _FILES
    sources = folder / "sources"
    sources.mkdir()
    try:
        paths = await trio.to_thread.run_sync(filling.write_small, sources, count, f"small {number}")
        seconds = await (_by_command(peer, paths) if isinstance(peer, TimedNode) else _one_by_one(peer, paths))
    finally:
        shutil.rmtree(sources)
    await peer.forget()
    await settled([peer.pid])
    return [Sample(work.add_small(count), NAMES[kind], count / seconds)]


async def _by_command(node: TimedNode, paths: Sequence[Path]) -> float:
    """The command itself, run in this process: without the start of an interpreter, with all that comes after it."""
    arguments = ["add", "--json", "--no-progress", "--data", str(node.data), *map(str, paths)]

    def call() -> float:
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
            code = command_line.run(arguments)
        if code:
            raise PeerError(f"chiral add of {len(paths)} files ended with exit code {code}")
        return time.perf_counter() - started

    return await trio.to_thread.run_sync(call, abandon_on_cancel=True)


async def _one_by_one(peer: Timed, paths: Sequence[Path]) -> float:
    return sum([(await peer.add(path, announce=False)).seconds for path in paths])
