"""Holds blocks that rest outside this machine against their CIDs, by their port, and takes damaged ones away there.

What is kept here of a damaged one is its name and the reason: its bytes would have to be fetched once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import trio

from chiral.block.cid import CID
from chiral.errors import IntegrityError, InvalidCidError
from chiral.interface.blockstore import Blockstore
from chiral.store.block_check import CheckedSlice, Damage
from chiral.store.environment import Environment
from chiral.store.quarantine import note_damage

MOST_AT_ONCE = 16
"""Blocks had in one go, all of them in memory."""


class RemoteBlockCheck:
    """Checks `blocks`, past what is cached of them; the quarantine is in `environment`."""

    def __init__(self, blocks: Blockstore, environment: Environment) -> None:
        self._blocks = blocks
        self._environment = environment

    async def check(self, after: bytes, limit_bytes: int, limit_blocks: int) -> CheckedSlice:
        """Read and hash the blocks after multihash `after`, a few at once."""
        cids = await self._blocks.page(after, min(limit_blocks, MOST_AT_ONCE))
        if not cids:
            return CheckedSlice(0, 0, None, (), 0)
        held = await self._held(cids)
        size = sum(len(data) for data in held if isinstance(data, bytes))
        faults = await trio.to_thread.run_sync(_faults, cids, held)
        damaged = tuple(Damage(cid, fault) for cid, fault in zip(cids, faults, strict=True) if fault)
        return CheckedSlice(len(cids), size, cids[-1].multihash, damaged, faults.count(""))

    async def quarantine(self, damaged: Sequence[Damage], now: float) -> list[Damage]:
        """Name those that are still there and take them away."""
        held = await self._blocks.has_many([damage.cid for damage in damaged])
        still = [damage for damage, here in zip(damaged, held, strict=True) if here]
        tables = self._environment.tables
        for damage in still:
            note = partial(note_damage, tables=tables, cid=damage.cid, reason=damage.reason, now=now)
            await self._environment.write(note, grows=False)
        await self._blocks.delete_many([damage.cid for damage in still])
        return still

    async def _held(self, cids: Sequence[CID]) -> list[bytes | IntegrityError | None]:
        """Each block, None for one deleted meanwhile, or how reading it showed that it is damaged."""
        try:
            return list(await self._blocks.get_many(cids))
        except IntegrityError as error:
            if len(cids) == 1:
                return [error]
        return [one for cid in cids for one in await self._held([cid])]


def _faults(cids: Sequence[CID], held: Sequence[bytes | IntegrityError | None]) -> list[str | None]:
    """For each block what is wrong with it, None if nothing, and nothing said where its hash is not known."""
    return [_fault(cid, data) for cid, data in zip(cids, held, strict=True)]


def _fault(cid: CID, data: bytes | IntegrityError | None) -> str | None:
    if isinstance(data, IntegrityError):
        return data.message
    try:
        return None if data is None or cid.matches(data) else "its bytes are not what its CID names"
    except InvalidCidError:
        return ""
