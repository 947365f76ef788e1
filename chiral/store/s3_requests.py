"""Requests to a bucket for a trio program: each in a thread, so many at once. Decides nothing about blocks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import trio

from chiral.errors import sole_error
from chiral.store.s3_keys import KeySpace
from chiral.store.s3_objects import Bucket, Found, Listed
from chiral.store.s3_settings import S3Settings
from chiral.store.s3_survey import survey

T = TypeVar("T")
R = TypeVar("R")


class Requests:
    """Those to the blocks of one prefix of `bucket`, by multihash."""

    def __init__(self, bucket: Bucket, settings: S3Settings) -> None:
        self.bucket = bucket
        self.keys = KeySpace(settings.prefix)
        self._in_flight = settings.max_in_flight
        self._limiter = trio.CapacityLimiter(settings.max_in_flight)

    async def head(self, key: bytes) -> Found | None:
        """What is under the multihash."""
        return await self.read(partial(self.bucket.head, self.keys.of(key)))

    async def heads(self, keys: Sequence[bytes]) -> list[Found | None]:
        """What is under each, by whichever requests are fewer."""
        known = await survey(keys, lambda first, limit: self.listed(self.keys.of(first)[:-1], limit))
        left = [key for key in dict.fromkeys(keys) if key not in known]
        known.update(zip(left, await self.each(left, self.head), strict=True))
        return [known[key] for key in keys]

    async def listed(self, after: str, limit: int) -> tuple[list[Listed], str | None]:
        """Blocks and marks after the key `after`, one at least if there are any, and where they go on, if they do."""
        further: str | None = after
        entries: list[Listed] = []
        while further is not None and not entries:
            listing = await self.read(partial(self.bucket.list, self.keys.blocks, further, limit))
            names = ((self.keys.read(key), size) for key, size in listing.entries)
            entries = [Listed(name[0], name[1], size) for name, size in names if name is not None]
            further = listing.entries[-1][0] if listing.more else None
        return entries, further

    async def listed_behind(self, after: bytes, limit: int) -> tuple[list[Listed], str | None]:
        """The same after a multihash; the mark of that may come first."""
        return await self.listed(self.keys.of(after) if after else "", limit)

    async def read(self, request: Callable[[], R]) -> R:
        """The answer to a request that changes nothing; cancelled, it is left alone."""
        return await trio.to_thread.run_sync(request, limiter=self._limiter, abandon_on_cancel=True)

    async def write(self, request: Callable[[], R]) -> R:
        """The answer to any other; cancelled, it is waited for."""
        return await trio.to_thread.run_sync(request, limiter=self._limiter)

    async def each(self, items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
        """What `work` makes of each item, in order, for as many at once as may be in flight."""
        results: dict[int, R] = {}
        queue = iter(enumerate(items))

        async def worker() -> None:
            for index, item in queue:
                results[index] = await work(item)

        with sole_error():
            async with trio.open_nursery() as nursery:
                for _ in range(min(self._in_flight, len(items))):
                    nursery.start_soon(worker)
        return [results[index] for index in range(len(items))]
