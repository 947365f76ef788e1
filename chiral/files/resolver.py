"""Resolves CIDs for the use cases: looks here first, then among other peers."""

from __future__ import annotations

import trio

from chiral.block.cid import CID, CODEC_NAMES, IDENTITY
from chiral.errors import IntegrityError, InvalidCidError
from chiral.files.root import Root
from chiral.files.root_search import RootSearch
from chiral.files.shelf import Shelf
from chiral.transfer.intake import Intake
from chiral.transfer.swarm import Swarm

_HASH_INLINE_BYTES = 16 * 1024


class RootResolver:
    """One node's. What it fetches is stored if it is a block; a FileInfo enters nothing before its file is whole."""

    def __init__(self, shelf: Shelf, swarm: Swarm, intake: Intake) -> None:
        self._shelf = shelf
        self._swarm = swarm
        self._intake = intake

    async def resolve(self, cid: CID, timeout_s: float) -> Root:
        """What `cid` names.

        Raises `InvalidCidError` (hash or codec not supported) and as `RootSearch.run`; `IntegrityError` also for a
        block that is damaged in the local store.
        """
        cid.require_supported()
        if cid.codec not in CODEC_NAMES:
            raise InvalidCidError(f"codec {cid.codec:#x} of {cid} is not supported")
        local = await self._local(cid)
        return local if local is not None else await RootSearch(cid, self._swarm, self._intake).run(timeout_s)

    async def _local(self, cid: CID) -> Root | None:
        if cid.hash_code == IDENTITY:
            return Root(None, data=cid.digest, local=True)
        data = await self._shelf.blocks.get(cid)
        if data is not None:
            inline = len(data) <= _HASH_INLINE_BYTES
            if not (cid.matches(data) if inline else await trio.to_thread.run_sync(cid.matches, data)):
                raise IntegrityError(f"block {cid} is damaged in the local store", hint="remove it and get it again")
            return Root(None, data=data, local=True)
        found = await self._shelf.info(cid)
        return None if found is None else Root(found[0], found[1], local=True)
