"""Whole files through the DHT: found, fetched, verified, stored and written out, among all pairs of peers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

from interop.bench import work
from interop.bench.ends import Ends, open_ends
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import Run
from interop.bench.work import DISK, MIB_BYTES, TMPFS, Data, Sample
from interop.kinds import Kind

_SAME = ((Kind.PYTHON, Kind.PYTHON), (Kind.GO, Kind.GO), (Kind.RUST_NEWEST, Kind.RUST_NEWEST))
_MIXED = (
    (Kind.RUST_NEWEST, Kind.PYTHON),
    (Kind.PYTHON, Kind.RUST_NEWEST),
    (Kind.GO, Kind.PYTHON),
    (Kind.PYTHON, Kind.GO),
)
"""Provider and fetcher."""
_OLDER = (Kind.RUST_054, Kind.RUST_054)
"""The older Rust peer, for the largest file alone: it takes seconds."""
_OLDER_OPTIONS = ("--idle-timeout", "60")
"""Its one departure from its defaults: two that close what is idle at once lose their answers and find nobody."""
_SIZES = (MIB_BYTES, 10 * MIB_BYTES, 100 * MIB_BYTES)
_LARGEST = _SIZES[-1]
_CPU_FROM_BYTES = 100 * MIB_BYTES
"""The kernel counts CPU time in ticks of 10 ms: a smaller file says nothing."""

File = tuple[int, Data]


async def measure(run: Run) -> None:
    """Every size between every pair, and text between peers of one kind, in memory."""
    files = [(size, Data.RANDOM) for size in _SIZES]
    await _race(run, TMPFS, (*_SAME, *_MIXED, _OLDER), files, text=True)


async def measure_on_disk(run: Run) -> None:
    """The largest of them between peers of one kind, with sources, stores and copies on a disk."""
    await _race(run, DISK, _SAME, [(_LARGEST, Data.RANDOM)], text=False)


async def _race(run: Run, place: str, pairs: Sequence[tuple[Kind, Kind]], files: Sequence[File], *, text: bool) -> None:
    folder = run.folder(place, "get")
    async with AsyncExitStack() as stack:
        swarms = {}
        for provider, fetcher in pairs:
            if run.has(provider, fetcher):
                options = _OLDER_OPTIONS if (provider, fetcher) == _OLDER else ()
                opening = open_ends(provider, fetcher, folder / f"{provider}-{fetcher}", options=options)
                swarms[provider, fetcher] = await stack.enter_async_context(opening)
        turns = [
            _turn(ends, file, place)
            for file, (who, ends) in itertools.product(files, swarms.items())
            if who != _OLDER or file == (_LARGEST, Data.RANDOM)
        ]
        if text:
            turns += [_turn(swarms[who], (_LARGEST, Data.TEXT), place) for who in _SAME if who in swarms]
        await take_turns(run, turns)


def _turn(ends: Ends, file: File, place: str) -> Turn:
    return Turn(f"{work.get(*file, place).name}, {ends.who}", partial(_play, ends, file, place))


async def _play(ends: Ends, file: File, place: str, number: int) -> Sequence[Sample]:
    """A file of other bytes each time, so that no store knows a block of it."""
    size, data = file
    got = await ends.move(size, data, f"{data} {size} {number}")
    samples = [Sample(work.get(size, data, place), ends.who, size / MIB_BYTES / got.seconds)]
    if size >= _CPU_FROM_BYTES and data is Data.RANDOM:
        samples.append(Sample(work.get_cpu(size, place), ends.who, got.cpu_seconds * work.GIB_BYTES / size))
    return samples
