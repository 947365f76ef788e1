"""The blocks of a DAG as an archive needs them: from the store many at once, else from peers, all verified.

What is fetched is stored, as any block that is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import trio

from chiral.block.cid import CID
from chiral.errors import IntegrityError, sole_error
from chiral.interface.blockstore import Blockstore
from chiral.pinning.links import every_link
from chiral.transfer.fetch import BlockFetcher, Wanted
from chiral.transfer.finder import Candidate

_EXPECTED_BYTES = 256 << 10
_CHECKED_INLINE_BYTES = 16 << 10
"""Checked, and its links read, in less time than a thread's turn takes, or little more."""

Data = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Loaded:
    """A block, held against its CID: its bytes and the binary forms of the CIDs it links to."""

    data: Data
    links: Sequence[bytes]


Further = Callable[[], Sequence[CID]]
"""Tells the CIDs that will be needed after those asked for now; called only by who fetches."""


class BlockSource(Protocol):
    """Where blocks come from."""

    async def load(self, cids: Sequence[CID], further: Further = tuple) -> list[Loaded | None]:
        """The blocks in the order asked, None for one that is not to be had.

        Raises `IntegrityError` for one that is damaged here, `MalformedContentError` for one whose links nobody can
        read, `StoreError`, and what fetching raises.
        """
        ...


class HeldSource:
    """The store alone: asks nobody."""

    def __init__(self, store: Blockstore) -> None:
        self._store = store

    async def load(self, cids: Sequence[CID], further: Further = tuple) -> list[Loaded | None]:
        if len(cids) == 1:  # the store may have it at hand, where reading many takes a thread's turn
            blocks = [await self._store.get(cids[0])]
        else:
            blocks = await self._store.get_many(cids)
        if sum(len(block or b"") for block in blocks) <= _CHECKED_INLINE_BYTES:
            return _checked(cids, blocks)
        return await trio.to_thread.run_sync(_checked, cids, blocks)


class SwarmSource:
    """The store first; what is not there is fetched, from whoever provides the root or the block itself.

    `timeout_s` is the longest wait without progress.
    """

    def __init__(
        self, root: CID, store: Blockstore, fetcher: BlockFetcher, candidates: Iterable[Candidate], timeout_s: float
    ) -> None:
        self._root = root
        self._store = store
        self._held = HeldSource(store)
        self._fetcher = fetcher
        self._candidates = tuple(candidates)
        self._timeout_s = timeout_s

    async def load(self, cids: Sequence[CID], further: Further = tuple) -> list[Loaded | None]:
        """None never: a block that nobody has raises `NotFoundError`, `RequestTimeoutError` or a `RemoteError`."""
        loaded = await self._held.load(cids)
        missing = {cid.multihash: cid for cid, block in zip(cids, loaded, strict=True) if block is None}
        if missing:
            later = further()  # a fetch of many finds its peers once
            held = await self._store.has_many(later)
            missing.update((cid.multihash, cid) for cid, here in zip(later, held, strict=True) if not here)
            await self._fetch(list(missing.values()))
            loaded = await self._held.load(cids)
        return loaded

    async def _fetch(self, cids: list[CID]) -> None:
        """Have these blocks stored here."""
        wanted = Wanted(self._root, cids, range(len(cids)), _EXPECTED_BYTES)
        fetch = self._fetcher.fetch(wanted, self._candidates, stall_s=self._timeout_s)
        with sole_error():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fetch.run)
                taken = 0
                while taken < len(cids):
                    taken += len(await fetch.take(taken, len(cids)))
                nursery.cancel_scope.cancel()


def inline_block(cid: CID) -> Loaded:
    """The block that an identity CID holds itself."""
    return _load(cid, cid.digest)


def _checked(cids: Sequence[CID], blocks: Sequence[bytes | None]) -> list[Loaded | None]:
    return [None if data is None else _checked_one(cid, data) for cid, data in zip(cids, blocks, strict=True)]


def _checked_one(cid: CID, data: bytes) -> Loaded:
    if not cid.matches(data):
        raise IntegrityError(f"block {cid} is damaged in the local store", hint="remove it and get it again")
    return _load(cid, data)


def _load(cid: CID, data: Data) -> Loaded:
    return Loaded(data, [link.buffer for link in every_link(cid, data)])
