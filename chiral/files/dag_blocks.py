"""The blocks of one DAG as a walk through it wants them: from the store, else from peers, those to come fetched ahead.

A walk tells with each block it wants which ones it will most likely want next. Of those that are not here a fetch
brings many at a time, by the same sessions that bring files; every block is held against its CID before it is given.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import trio

from chiral.block.cid import CID, IDENTITY, RAW
from chiral.dag.dag_node import Block, Want
from chiral.errors import IntegrityError, InvalidCidError
from chiral.files.shelf import Shelf
from chiral.transfer.fetch import BlockFetch, BlockFetcher, Wanted
from chiral.transfer.finder import Candidate

R = TypeVar("R")
_NEAR_BLOCKS = 16
"""Read from the store and verified at once."""
_LEAVES_AHEAD = 192
_NODES_AHEAD = 16
"""Of nodes fewer are asked for ahead: what a node leads to is wanted before its neighbours."""
_FETCHES_AT_ONCE = 2
"""The one that brings what is wanted now, and the one before it, whose blocks are wanted again later."""
_TYPICAL_BLOCK_BYTES = 256 << 10


@dataclass(slots=True, eq=False)
class _Fetch:
    """A fetch under way: which block stands where in it, and where its reader is."""

    fetch: BlockFetch
    places: dict[bytes, int]
    scope: trio.CancelScope
    position: int = 0


class DagBlocks:
    """For one walk at a time; its fetches run in `nursery`, which they fail in when nobody has a block."""

    def __init__(
        self,
        root: CID,
        shelf: Shelf,
        fetcher: BlockFetcher,
        nursery: trio.Nursery,
        candidates: Sequence[Candidate],
        stall_s: float,
    ) -> None:
        self.used: list[CID] = []
        """What was relied on, for `Shelf.using`."""
        self.fetched = False
        """Whether any block was not here."""
        self._root = root
        self._shelf = shelf
        self._fetcher = fetcher
        self._nursery = nursery
        self._candidates = tuple(candidates)
        self._stall_s = stall_s
        self._near: dict[bytes, Block] = {}
        self._fetches: list[_Fetch] = []
        self._ended: list[BlockFetch] = []

    @property
    def providers(self) -> int:
        """How many peers have brought blocks, as far as is known: of all fetches the most."""
        fetches = [*self._ended, *(under_way.fetch for under_way in self._fetches)]
        return max((fetch.providers for fetch in fetches), default=0)

    def have(self, cid: CID, data: Block) -> None:
        """`data` is block `cid`, verified: it is not asked for again."""
        self._near[cid.multihash] = data
        self.used.append(cid)

    def at_hand(self, want: Want) -> bool:
        """Whether `block` gives this one without waiting."""
        return want.cid.multihash in self._near

    async def run(self, walk: Generator[Want, Block, R]) -> R:
        """Walk to the end; what the walk returns. Raises what it raises, and as `block`."""
        try:
            want = next(walk)
            while True:
                want = walk.send(await self.block(want))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def block(self, want: Want) -> Block:
        """The block wanted.

        Raises `InvalidCidError` for a hash that cannot be verified, `IntegrityError` for a block that is damaged in the
        store, and what fetching raises.
        """
        key = want.cid.multihash
        data = self._near.get(key)
        if data is not None:
            return data
        want.cid.require_supported()
        data = await self._arriving(key)
        if data is None:
            data = await self._held(want)
        if data is None:
            await self._fetch(want)
            data = await self._arriving(key)
            assert data is not None, "a fetch brings what it was made for"
        return data

    async def _arriving(self, key: bytes) -> Block | None:
        """The block, once a fetch has brought it; None if none of them is about to."""
        for under_way in reversed(self._fetches):
            index = under_way.places.get(key, -1)
            if index >= under_way.position:
                taken = await under_way.fetch.take(index, _NEAR_BLOCKS)
                under_way.position = index + len(taken)
                cids = under_way.places
                self._near = {key: taken[at - index] for key, at in cids.items() if index <= at < under_way.position}
                if under_way.position > max(cids.values()):
                    self._end(under_way)
                return self._near[key]
        return None

    async def _held(self, want: Want) -> Block | None:
        """The block from the store, and those near it that are there too, each held against its CID."""
        cids = [want.cid, *_several(want.ahead, _NEAR_BLOCKS - 1)]
        self.used += cids
        await self._shelf.settled()
        blocks = await self._shelf.blocks.get_many(cids)
        if blocks[0] is None:
            return None
        near = await trio.to_thread.run_sync(_sound, cids, blocks)
        if want.cid.multihash not in near:
            raise IntegrityError(f"block {want.cid} is damaged in the local store", hint="remove it and get it again")
        self._near = near
        return near[want.cid.multihash]

    async def _fetch(self, want: Want) -> None:
        """Have the block brought, and with it those to come that are not here."""
        self.fetched = True
        most = _LEAVES_AHEAD if want.cid.codec == RAW else _NODES_AHEAD
        coming = {key for under_way in self._fetches for key in under_way.places}
        ahead = [cid for cid in _several(want.ahead, most) if cid.multihash not in coming]
        cids = list({cid.multihash: cid for cid in (want.cid, *ahead)}.values())
        self.used += cids
        await self._shelf.settled()
        missing = sorted({0, *(await self._shelf.missing(cids))})
        wanted = Wanted(self._root, cids, missing, _TYPICAL_BLOCK_BYTES)
        fetch = self._fetcher.fetch(wanted, self._candidates, stall_s=self._stall_s)
        places = {cids[index].multihash: index for index in missing}
        under_way = _Fetch(fetch, places, trio.CancelScope())
        while len(self._fetches) >= _FETCHES_AT_ONCE:
            self._end(self._fetches[0])
        self._fetches.append(under_way)
        self._nursery.start_soon(self._run, under_way)

    async def _run(self, under_way: _Fetch) -> None:
        with under_way.scope:
            await under_way.fetch.run()

    def _end(self, under_way: _Fetch) -> None:
        under_way.scope.cancel()
        self._fetches.remove(under_way)
        self._ended = [max((*self._ended, under_way.fetch), key=lambda fetch: fetch.providers)]


def _several(ahead: Sequence[CID], most: int) -> list[CID]:
    """Of the first `most` those that can be had from anywhere."""
    return [cid for cid in ahead[:most] if _fetchable(cid)]


def _fetchable(cid: CID) -> bool:
    try:
        return cid.require_supported().hash_code != IDENTITY
    except InvalidCidError:
        return False


def _sound(cids: Sequence[CID], blocks: Sequence[Any]) -> dict[bytes, Block]:
    """Of the blocks that are here those that are what their CIDs name, by multihash."""
    return {
        cid.multihash: data for cid, data in zip(cids, blocks, strict=True) if data is not None and cid.matches(data)
    }
