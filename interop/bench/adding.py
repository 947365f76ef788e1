"""Adding files to a running node, beside the Rust and Go peers and beside SHA-256 alone."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import trio

from interop.bench import filling, work
from interop.bench.rounds import Turn, take_turns
from interop.bench.run import NAMES, Run
from interop.bench.timed import Timed, open_timed
from interop.bench.usage import settled
from interop.bench.work import DISK, MIB_BYTES, SHA256_ALONE, TMPFS, Data, Sample
from interop.kinds import Kind

KINDS = (Kind.PYTHON, Kind.GO, Kind.RUST_NEWEST)
_HUNDRED_MIB = 100 * MIB_BYTES
_FILES = (
    (MIB_BYTES, Data.RANDOM),
    (10 * MIB_BYTES, Data.RANDOM),
    (_HUNDRED_MIB, Data.RANDOM),
    (_HUNDRED_MIB, Data.TEXT),
)

File = tuple[int, Data]


class Adder(Protocol):
    """Something that takes a file in."""

    @property
    def who(self) -> str:
        """What tables call it."""
        ...

    async def add(self, path: Path) -> float:
        """Take the file in; seconds."""
        ...


@dataclass(frozen=True, slots=True)
class HashAlone:
    """The least that adding can cost: one pass of SHA-256 over bytes that are in memory already."""

    who: str = SHA256_ALONE

    async def add(self, path: Path) -> float:
        return await trio.to_thread.run_sync(_hash, path)


class PeerAdder:
    """A running peer, alone in its swarm, so that announcing costs nobody anything."""

    def __init__(self, kind: Kind, peer: Timed) -> None:
        self.who = NAMES[kind]
        self._peer = peer

    async def add(self, path: Path) -> float:
        added = await self._peer.add(path, announce=False)
        await self._peer.forget()
        await settled([self._peer.pid])
        return added.seconds


async def measure(run: Run) -> None:
    """Every size and both kinds of data, in memory."""
    await _race(run, TMPFS, _FILES)


async def measure_on_disk(run: Run) -> None:
    """100 MiB with the source and the store on a disk."""
    await _race(run, DISK, [(_HUNDRED_MIB, Data.RANDOM)])


async def _race(run: Run, place: str, files: Sequence[File]) -> None:
    folder = run.folder(place, "add")
    async with AsyncExitStack() as stack:
        adders: list[Adder] = [HashAlone()]
        for kind in filter(run.has, KINDS):
            adders.append(PeerAdder(kind, await stack.enter_async_context(open_timed(kind, folder / kind))))
        turns = [
            Turn(f"{work.add(*file, place).name}, {adder.who}", partial(_play, adder, file, place, folder))
            for file, adder in itertools.product(files, adders)
        ]
        await take_turns(run, turns)


async def _play(adder: Adder, file: File, place: str, folder: Path, number: int) -> Sequence[Sample]:
    """The bytes are the same for all within a round and others in the next, so that no store knows a block of them."""
    size, data = file
    source = folder / "source"
    try:
        await trio.to_thread.run_sync(filling.write, source, size, data, f"add {data} {size} {number}")
        seconds = await adder.add(source)
    finally:
        source.unlink(missing_ok=True)
    return [Sample(work.add(size, data, place), adder.who, size / MIB_BYTES / seconds)]


def _hash(path: Path) -> float:
    data = path.read_bytes()
    started = time.perf_counter()
    hashlib.sha256(data).digest()
    return time.perf_counter() - started
