"""The two ends of a transfer and the bootstrap node through which alone they have joined."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from interop.bench import filling
from interop.bench.run import NAMES
from interop.bench.timed import Timed, open_timed
from interop.bench.usage import cpu_seconds_of, settled
from interop.bench.work import Data, pair
from interop.child import PeerError
from interop.kinds import Kind

_BOOTSTRAP_OPTIONS = ("--profile", "bootstrap")


@dataclass(frozen=True, slots=True)
class Put:
    """A file that the provider holds."""

    cid: str
    size: int
    sha256: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Got:
    """A file that arrived whole: seconds as the fetcher measured, CPU seconds of both ends."""

    seconds: float
    cpu_seconds: float


class Ends:
    """A provider and a fetcher; files in between lie in `folder`."""

    def __init__(self, who: str, provider: Timed, fetcher: Timed, folder: Path) -> None:
        self.who = who
        self.provider = provider
        self.fetcher = fetcher
        self._folder = folder

    @property
    def pids(self) -> Sequence[int]:
        """Both processes."""
        return (self.provider.pid, self.fetcher.pid)

    async def move(self, size: int, data: Data, seed: str) -> Got:
        """Give the provider a file nobody has and fetch it."""
        return await self.fetch(await self.put(size, data, seed))

    async def put(self, size: int, data: Data, seed: str) -> Put:
        """Make a file, add it at the provider, and wait until both ends are quiet."""
        source = self._folder / "source"
        try:
            sha256 = await trio.to_thread.run_sync(filling.write, source, size, data, seed)
            added = await self.provider.add(source, announce=True)
        finally:
            source.unlink(missing_ok=True)
        await settled(self.pids)
        return Put(added.cid, size, sha256, added.seconds)

    async def fetch(self, put: Put) -> Got:
        """Fetch it and hold the copy against the source; raises `PeerError` if it differs."""
        copy = self._folder / "copy"
        try:
            before = cpu_seconds_of(self.pids)
            seconds = await self.fetcher.get(put.cid, copy)
            used = cpu_seconds_of(self.pids) - before
            hashing, sha256 = await trio.to_thread.run_sync(filling.timed_sha256_of, copy)
            if sha256 != put.sha256:
                raise PeerError("the copy differs from the source")
        finally:
            copy.unlink(missing_ok=True)
            await self.provider.forget()
            await self.fetcher.forget()
        return Got(seconds, max(0.0, used - hashing) if self.fetcher.hashes_copies else used)


@asynccontextmanager
async def open_ends(provider: Kind, fetcher: Kind, folder: Path, *, options: Sequence[str] = ()) -> AsyncIterator[Ends]:
    """Three processes: a Python bootstrap node and the two ends, which know nothing but its address.

    `options` are both ends' own.
    """
    async with open_timed(Kind.PYTHON, folder / "bootstrap", options=_BOOTSTRAP_OPTIONS) as bootstrap:
        joined = bootstrap.addrs[:1]
        async with (
            open_timed(provider, folder / "provider", bootstrap=joined, options=options) as giving,
            open_timed(fetcher, folder / "fetcher", bootstrap=joined, options=options) as taking,
        ):
            yield Ends(pair(NAMES[fetcher], NAMES[provider]), giving, taking, folder)
