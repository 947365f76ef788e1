"""Where fetched bytes come in: held against their CIDs, and those that match stored, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import trio

from chiral.block.block import Block
from chiral.events.bus import EventBus
from chiral.events.types import BlockReceived
from chiral.interface.blockstore import Blockstore
from chiral.interface.peer import PeerId

_HASH_INLINE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Arrival:
    """What `peer` answered when asked for `block.cid`; not verified."""

    peer: PeerId
    block: Block


class Intake:
    """One node's door for bytes from others: nothing is stored that is not what its CID names."""

    def __init__(self, store: Blockstore, bus: EventBus) -> None:
        self._store = store
        self._bus = bus

    async def take(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """For each arrival whether its bytes are what its CID names; those that are have been stored durably.

        Raises `StoreError`, or `InvalidCidError` for a hash that cannot be verified here. Hashes in a worker thread.
        """
        blocks = [arrival.block for arrival in arrivals]
        if sum(map(len, blocks)) <= _HASH_INLINE_BYTES:
            verdicts = _verify(blocks)
        else:
            verdicts = await trio.to_thread.run_sync(_verify, blocks)
        sound = [arrival for arrival, matches in zip(arrivals, verdicts, strict=True) if matches]
        if sound:
            await self._store.put_many([arrival.block for arrival in sound])
        for arrival in sound:
            self._bus.publish(BlockReceived(arrival.peer, arrival.block.cid, len(arrival.block)))
        return verdicts


def _verify(blocks: Sequence[Block]) -> list[bool]:
    return [block.cid.matches(block.data) for block in blocks]
