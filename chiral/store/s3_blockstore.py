"""Blocks in an object store, behind the `Blockstore` port: one object a block, and the bucket alone says what is held.

Every call costs requests: a get one, a has or a size one (HEAD), a new block one or two ((HEAD,) PUT) and one more if
it is not raw, a known one one, a page one for each 1,000 keys, a deletion one for each block and for each 64 of them;
many at once that stand close together are listed instead. Requests run side by side, each in a thread. The bucket is
asked each time, since nothing else knows; a cache belongs in front of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import trio

from chiral.block.block import Block
from chiral.block.cid import CID, RAW
from chiral.errors import IntegrityError
from chiral.interface.blockstore import BlockstoreStats
from chiral.store.packing import require_matches
from chiral.store.s3_objects import MAX_KEYS, Bucket, Listed
from chiral.store.s3_requests import Requests
from chiral.store.s3_settings import S3Settings
from chiral.store.s3_tally import Tally
from chiral.store.s3_writes import Writes

_DELETE_BATCH_BLOCKS = 1000
"""Looked for together: by listing, where they are most of a page."""


class S3Blockstore:
    """The `Blockstore` of a bucket's prefix, for one trio run and the only writer there.

    `conditional` says that the store puts on the condition that nothing is there; `quota_bytes` is the most that the
    blocks may take, but for the few that are written at the same time (0: any number).

    Raises `StoreError` with what to do about it, `StoreFullError`, and `IntegrityError` for a block whose bytes came
    twice as something else, and for one to be stored that is something else if `verify_writes` is set. Writes are not
    left half-way: cancelled, they wait for the answers under way.
    """

    def __init__(
        self,
        bucket: Bucket,
        settings: S3Settings,
        tally: Tally | None = None,
        *,
        conditional: bool = False,
        quota_bytes: int = 0,
        verify_writes: bool = False,
    ) -> None:
        self.tally = tally or Tally()
        self._requests = Requests(bucket, settings)
        self._writes = Writes(self._requests, self.tally, conditional=conditional, quota_bytes=quota_bytes)
        self._verify = settings.verify_on_read
        self._verify_writes = verify_writes
        self._quota = quota_bytes
        self._counting = trio.Lock()

    async def get(self, cid: CID) -> bytes | None:
        return await self._requests.read(partial(self._get, cid))

    async def get_many(self, cids: Sequence[CID]) -> list[bytes | None]:
        return await self._requests.each(cids, self.get)

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        return [size is not None for size in await self.sizes(cids)]

    async def size(self, cid: CID) -> int | None:
        return (await self.sizes([cid]))[0]

    async def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        heads = await self._requests.heads([cid.multihash for cid in cids])
        return [None if found is None else found.size_bytes for found in heads]

    async def put_many(self, blocks: Iterable[Block]) -> int:
        """As the port says, a PUT for each new block; where one fails, others of the batch may be there."""
        if self._quota and not self.tally.complete:
            await self.stats()
        first: dict[bytes, Block] = {}
        for block in blocks:
            first.setdefault(block.cid.multihash, block)
        if self._verify_writes:
            await trio.to_thread.run_sync(require_matches, list(first.values()))
        return sum(await self._requests.each(list(first.values()), self._writes.put))

    async def delete_many(self, cids: Iterable[CID]) -> int:
        keys = list(dict.fromkeys(cid.multihash for cid in cids))
        count = 0
        for start in range(0, len(keys), _DELETE_BATCH_BLOCKS):
            count += await self._writes.delete(keys[start : start + _DELETE_BATCH_BLOCKS])
        return count

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[CID]:
        """As the port says; fewer than `limit` also before the end, where marks of codecs take part of a listing."""
        if limit < 1:
            return []
        entries, further = await self._requests.listed_behind(after, limit + 1)
        while True:
            found = _with_codecs(entries)
            if further is not None and entries[-1].codec is None:  # its mark may be on the next page
                last = found.pop()
                if not found:
                    found = await self._with_codec(last)
            if found or further is None:
                return found[:limit]
            entries, further = await self._requests.listed(further, limit + 1)

    async def stats(self) -> BlockstoreStats:
        """As the port says. The first call after a kill lists the whole prefix, a request for each 1,000 objects."""
        async with self._counting:
            while not self.tally.complete or self.tally.doubts:
                while not self.tally.complete:
                    await self._count_on()
                await self._requests.each(self.tally.doubts, self._writes.settle)
        size = self.tally.size_bytes
        return BlockstoreStats(self.tally.blocks, size, rest_bytes=size, quota_bytes=self._quota)

    async def count_if_small(self) -> None:
        """Count the blocks if one listing does it: then a block expected to be new can be put without a look."""
        async with self._counting:
            if not self.tally.complete:
                await self._count_on()

    async def _count_on(self) -> None:
        after = self.tally.cursor
        entries, further = await self._requests.listed_behind(after, MAX_KEYS)
        sizes = [(entry.key, entry.size_bytes) for entry in entries if entry.codec is None]
        self.tally.page(after, sizes, None if further is None else entries[-1].key)

    def _get(self, cid: CID) -> bytes | None:
        bucket, key = self._requests.bucket, self._requests.keys.of(cid.multihash)
        data = bucket.get(key)
        if data is None or not self._verify or cid.matches(data):
            return data
        data = bucket.get(key)  # what came over a network may come right the next time
        if data is None or cid.matches(data):
            return data
        raise IntegrityError(f"block {cid} is damaged in the object store", hint="remove it and fetch it again")

    async def _with_codec(self, cid: CID) -> list[CID]:
        found = await self._requests.head(cid.multihash)
        if found is None:
            return []
        return [cid if found.codec is None else CID(1, found.codec, cid.multihash)]


def _with_codecs(entries: Sequence[Listed]) -> list[CID]:
    """The blocks among the entries, each with the codec of the mark behind it."""
    found: list[CID] = []
    for entry in entries:
        if entry.codec is None:
            found.append(CID(1, RAW, entry.key))
        elif found and found[-1].multihash == entry.key:
            found[-1] = CID(1, entry.codec, entry.key)
    return found
