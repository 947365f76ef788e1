"""A file of 1 GiB added and fetched by fresh nodes: rates, CPU of both sides, and the peak of memory over idle."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

from interop.bench import reach, work
from interop.bench.ends import Ends, open_ends
from interop.bench.places import available_memory_bytes, free_bytes
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import NAMES, Run
from interop.bench.usage import Peak, memory_of, settled, watched
from interop.bench.work import GIB_BYTES, MIB_BYTES, TMPFS, Data, Sample
from interop.kinds import Kind

_KINDS = (Kind.PYTHON, Kind.GO)
_ROUNDS = 3
_NEEDED_BYTES = 8 * GIB_BYTES
"""Two stores, the source and the copy, or two peers with all blocks in memory and what their collectors leave."""
_SERVED = f"serve {work.size_text(GIB_BYTES)}"


async def measure(run: Run) -> None:
    """New processes each time: what the last transfer left in memory would count as idle otherwise."""
    folder = run.folder(TMPFS, "large")
    room = min(free_bytes(folder), available_memory_bytes())
    if room < _NEEDED_BYTES:
        run.failed("1 GiB", f"needs {_NEEDED_BYTES // MIB_BYTES} MiB of memory, {room // MIB_BYTES} MiB are free")
        return
    turns = [Turn(f"1 GiB, {NAMES[kind]}", partial(_play, kind, folder / kind)) for kind in _KINDS if run.has(kind)]
    await take_turns(run, turns, rounds=min(_ROUNDS, run.options.rounds), warm_up=False)


async def _play(kind: Kind, folder: Path, number: int) -> Sequence[Sample]:
    try:
        async with open_ends(kind, kind, folder) as ends:
            return await _move(ends, NAMES[kind], number)
    finally:
        await trio.to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))


async def _move(ends: Ends, who: str, number: int) -> Sequence[Sample]:
    provider, fetcher = ends.provider.pid, ends.fetcher.pid
    await settled(ends.pids)
    giving, taking = memory_of(provider), memory_of(fetcher)
    async with watched(provider, giving) as adding:
        put = await ends.put(GIB_BYTES, Data.RANDOM, f"large {number}")
    async with watched(provider, giving) as serving, watched(fetcher, taking) as fetching:
        got = await ends.fetch(put)
    return [
        Sample(work.add(GIB_BYTES), who, GIB_BYTES / MIB_BYTES / put.seconds),
        Sample(work.get(GIB_BYTES), ends.who, GIB_BYTES / MIB_BYTES / got.seconds),
        Sample(work.get_cpu(GIB_BYTES), ends.who, got.cpu_seconds),
        *_peaks(reach.ADDED, who, adding),
        *_peaks(reach.FETCHED, who, fetching),
        *_peaks(_SERVED, who, serving),
    ]


def _peaks(what: str, who: str, peak: Peak) -> Sequence[Sample]:
    return [Sample(work.memory(what), who, peak.own), Sample(work.mapped(what), who, peak.mapped)]
