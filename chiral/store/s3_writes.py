"""Puts blocks into a bucket and takes them out, one write at a time under each key, and keeps the tally of it.

Where the store writes on the condition that nothing is there, a block expected to be new is put without a look. That it
was held after all costs its bytes once on the way; the next ones are looked for first until one is missing again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from chiral.block.block import Block
from chiral.block.cid import RAW
from chiral.errors import StoreFullError
from chiral.store.s3_locks import KeyLocks
from chiral.store.s3_objects import Found
from chiral.store.s3_requests import Requests
from chiral.store.s3_tally import Size, Tally

DELETED_AT_ONCE = 64
"""Blocks in one request: stores delete one after the other, and have to be done within the time-out."""


class Writes:
    """Those to one prefix. `conditional`: whether its store knows of conditions; `quota_bytes` 0: there is none."""

    def __init__(self, requests: Requests, tally: Tally, *, conditional: bool, quota_bytes: int) -> None:
        self._requests = requests
        self._tally = tally
        self._conditional = conditional
        self._quota = quota_bytes
        self._expects_new = True
        self.locks = KeyLocks()

    async def put(self, block: Block) -> bool:
        """Store a block; whether it was new."""
        key = block.cid.multihash
        async with self.locks.held([key]):
            if self._may_go_blind(block):
                self._expects_new = await self._put_blind(block)
            else:
                self._expects_new = await self._put_after_a_look(block)
        return self._expects_new

    async def delete(self, keys: Sequence[bytes]) -> int:
        """Delete the blocks, a few in each request; returns how many were held."""
        async with self.locks.held(keys):
            heads = await self._requests.heads(keys)
            for key, found in zip(keys, heads, strict=True):
                self._tally.settle(key, None if found is None else found.size_bytes)
            held = [(key, found) for key, found in zip(keys, heads, strict=True) if found is not None]
            parts = [held[at : at + DELETED_AT_ONCE] for at in range(0, len(held), DELETED_AT_ONCE)]
            await self._requests.each(parts, self._delete_held)
        return len(held)

    async def settle(self, key: bytes) -> Size:
        """Look at what is under the key, and let the tally know; the size in bytes."""
        async with self.locks.held([key]):
            return await self._look(key)

    def _may_go_blind(self, block: Block) -> bool:
        # The quota asks whether there is room for what is new, and a mark must not be left beside another's block.
        fits = self._conditional and block.cid.codec == RAW and not self._quota
        return fits and self._expects_new and self._tally.takes_blind(block.cid.multihash)

    async def _put_blind(self, block: Block) -> bool:
        key, data = block.cid.multihash, bytes(block.data)
        self._tally.begin_blind(key)
        try:
            new = await self._requests.write(partial(self._requests.bucket.put_new, self._requests.keys.of(key), data))
        except BaseException:
            self._tally.fail(key)
            raise
        if new:
            self._tally.end(key, len(data))
        else:
            self._tally.keep(key, len(data))
        return new

    async def _put_after_a_look(self, block: Block) -> bool:
        key = block.cid.multihash
        if await self._look(key) is not None:
            return False
        if self._quota and self._tally.size_bytes + len(block.data) > self._quota:
            raise StoreFullError(
                f"the blocks in the object store have reached the quota of {self._quota} bytes",
                hint="raise store.quota_bytes and restart, or remove files",
            )
        with self._tallied({key: None}, {key: len(block.data)}):
            await self._requests.write(partial(self._store, block))
        return True

    def _store(self, block: Block) -> None:
        bucket, names = self._requests.bucket, self._requests.keys
        key, codec = block.cid.multihash, block.cid.codec
        if codec == RAW:
            bucket.put(names.of(key), bytes(block.data))
            return
        # The mark goes first: a block that is there has its mark, and a mark without a block means nothing.
        bucket.put(names.mark_of(key, codec), b"")
        bucket.put(names.of(key), bytes(block.data), codec)

    async def _look(self, key: bytes) -> Size:
        found = await self._requests.head(key)
        size = None if found is None else found.size_bytes
        self._tally.settle(key, size)
        return size

    async def _delete_held(self, held: Sequence[tuple[bytes, Found]]) -> None:
        names = self._requests.keys
        doomed = [names.of(key) for key, _ in held]
        doomed += [names.mark_of(key, found.codec) for key, found in held if found.codec is not None]
        gone: dict[bytes, Size] = {key: None for key, _ in held}
        with self._tallied({key: found.size_bytes for key, found in held}, gone):
            await self._requests.write(partial(self._requests.bucket.delete, doomed))

    @contextmanager
    def _tallied(self, before: Mapping[bytes, Size], after: Mapping[bytes, Size]) -> Iterator[None]:
        """The block writes what turns `before` into `after`."""
        for key, size in before.items():
            self._tally.begin(key, size)
        try:
            yield
        except BaseException:
            for key in before:
                self._tally.fail(key)
            raise
        for key, size in after.items():
            self._tally.end(key, size)
