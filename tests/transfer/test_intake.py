"""What comes in: only what its CID names is stored and told of."""

from __future__ import annotations

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.errors import InvalidCidError, StoreFullError
from chiral.events.bus import EventBus
from chiral.events.types import BlockReceived, Event
from chiral.transfer.intake import Arrival, Intake
from tests.fakes.memory_store import MemoryBlockstore
from tests.fakes.stream_node import peer_id

PEER = peer_id(1)


class RecordingBus(EventBus):
    """Keeps what was published."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Event] = []

    def publish(self, event: Event) -> None:
        self.told.append(event)


@pytest.mark.parametrize("size", [100, 100_000])
async def test_only_sound_blocks_are_stored(size: int) -> None:
    store, bus = MemoryBlockstore(), RecordingBus()
    good = [Block.of(bytes([number]) * size) for number in range(4)]
    bad = Block(CID.of(b"something else"), b"lies" * (size // 4))
    verdicts = await Intake(store, bus).take([Arrival(PEER, block) for block in (*good[:2], bad, *good[2:])])
    assert verdicts == [True, True, False, True, True]
    assert await store.has_many([block.cid for block in (*good, bad)]) == [True] * 4 + [False]
    assert bus.told == [BlockReceived(PEER, block.cid, size) for block in good]


async def test_nothing_sound_writes_nothing() -> None:
    store = MemoryBlockstore()
    store.fault = StoreFullError("full")
    assert await Intake(store, EventBus()).take([Arrival(PEER, Block(CID.of(b"a"), b"b"))]) == [False]


async def test_a_fault_of_the_store_comes_out_and_nothing_is_told() -> None:
    store, bus = MemoryBlockstore(), RecordingBus()
    store.fault = StoreFullError("full")
    with pytest.raises(StoreFullError):
        await Intake(store, bus).take([Arrival(PEER, Block.of(b"a"))])
    assert bus.told == []


async def test_a_hash_that_cannot_be_verified_is_an_error() -> None:
    unknown = CID(1, 0x55, b"\x99\x01\x20" + bytes(32))
    with pytest.raises(InvalidCidError):
        await Intake(MemoryBlockstore(), EventBus()).take([Arrival(PEER, Block(unknown, b"a"))])
