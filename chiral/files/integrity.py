"""Holds every block that a file or directory is made of against its CID, out of the local store alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import trio

from chiral.block.cid import CID, IDENTITY
from chiral.errors import IntegrityError, InvalidCidError, MalformedContentError
from chiral.interface.blockstore import Blockstore
from chiral.pinning.links import links_of

_AT_ONCE = 8
"""Blocks read and hashed in one go: 16 MiB of the largest."""
MAX_NAMED = 100
"""Of the blocks that are not well so many are named; all are counted."""


@dataclass(slots=True)
class BlockCheck:
    """What came out: counts of different blocks, the sum of the sizes of those that are here, and who is not well."""

    blocks: int = 0
    size_bytes: int = 0
    damaged_count: int = 0
    missing_count: int = 0
    damaged: list[CID] = field(default_factory=list)
    missing: list[CID] = field(default_factory=list)

    @property
    def state(self) -> str:
        """`damaged` if a block is not what its CID names, else `missing` if one is not here, else `whole`."""
        if self.damaged_count:
            return "damaged"
        return "missing" if self.missing_count else "whole"

    def note(self, cid: CID, size: int | None, *, sound: bool) -> None:
        """Count one block; `size` is None for one that is not here."""
        self.blocks += 1
        self.size_bytes += size or 0
        if size is None:
            self.missing_count += 1
            self.missing += [cid][: MAX_NAMED - len(self.missing)]
        elif not sound:
            self.damaged_count += 1
            self.damaged += [cid][: MAX_NAMED - len(self.damaged)]


@dataclass(frozen=True, slots=True)
class _Read:
    """One block: its size, None if it is not here, whether it is what its CID names, and the CIDs it links to."""

    size: int | None
    sound: bool
    links: tuple[CID, ...] = ()


async def check_blocks(blocks: Blockstore, roots: Iterable[CID]) -> BlockCheck:
    """Re-hash the blocks `roots` and all that they link to, each once. Raises `StoreError`."""
    check = BlockCheck()
    waiting = [cid for cid in roots][::-1]
    seen: set[bytes] = set()
    while waiting:
        batch: list[CID] = []
        while waiting and len(batch) < _AT_ONCE:
            cid = waiting.pop()
            if cid.multihash not in seen:
                seen.add(cid.multihash)
                batch.append(cid)
        for cid, read in zip(batch, await _read_all(blocks, batch), strict=True):
            check.note(cid, read.size, sound=read.sound)
            waiting += reversed(read.links)
    return check


async def _read_all(blocks: Blockstore, batch: Sequence[CID]) -> list[_Read]:
    stored = [cid for cid in batch if cid.hash_code != IDENTITY]
    try:
        found = dict(zip(stored, await blocks.get_many(stored), strict=True))
    except IntegrityError:  # the store itself found one of them damaged: ask one by one which
        return [await _read_one(blocks, cid) for cid in batch]
    datas = [cid.digest if cid.hash_code == IDENTITY else found[cid] for cid in batch]
    return await trio.to_thread.run_sync(lambda: [_look(cid, data) for cid, data in zip(batch, datas, strict=True)])


async def _read_one(blocks: Blockstore, cid: CID) -> _Read:
    try:
        data = cid.digest if cid.hash_code == IDENTITY else await blocks.get(cid)
    except IntegrityError:
        return _Read(0, sound=False)
    return await trio.to_thread.run_sync(_look, cid, data)


def _look(cid: CID, data: bytes | None) -> _Read:
    if data is None:
        return _Read(None, sound=False)
    try:
        if not cid.matches(data):
            return _Read(len(data), sound=False)
    except InvalidCidError:  # of a hash that nobody here can verify
        return _Read(len(data), sound=False)
    try:
        return _Read(len(data), sound=True, links=tuple(links_of(cid, data)))
    except MalformedContentError:  # it is what its CID names, whatever that is
        return _Read(len(data), sound=True)
