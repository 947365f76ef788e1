"""What a collection keeps: goes through pins and catalogue, and marks what they lead to, a slice at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import trio

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue
from chiral.interface.pins import Pin, PinKind, Pins
from chiral.pinning.digest_set import DigestSet
from chiral.pinning.marks import Marking
from chiral.pinning.pace import Pace
from chiral.pinning.uses import BlockUses

_PAGE = 256
_NODES_AT_ONCE = 32
"""A node of 174 links is read in about a millisecond."""


@dataclass(frozen=True, slots=True)
class Keepers:
    """Who keeps blocks in one node's store."""

    blocks: Blockstore
    catalogue: Catalogue
    pins: Pins
    uses: BlockUses
    clock: Clock


async def mark(keepers: Keepers, pace: Pace, progress: Callable[[int], None]) -> DigestSet:
    """What pins and DAGs of the catalogue keep, chunks of catalogued files aside; to be called while `collecting`.

    `progress` is told how many blocks are marked so far. Raises `IntegrityError` where a node that is kept is damaged,
    or below a pin gone; `MalformedContentError`, `StoreError`.
    """
    marking = Marking()
    for root in keepers.uses.incomplete:  # first: one that ends meanwhile is among the pins by the time it ends
        marking.root(root, below=True)
    await _follow(marking, keepers, pace, progress)
    async for pins in _pages_of_pins(keepers.pins):
        for pin in pins:
            below = pin.kind is PinKind.RECURSIVE
            marking.root(pin.cid, below=below, whole=below)
        await _follow(marking, keepers, pace, progress)
    async for roots in _pages_of_roots(keepers.catalogue):
        for root in roots:
            marking.root(root, below=True)
        await _follow(marking, keepers, pace, progress)
    return marking.marks


async def _follow(marking: Marking, keepers: Keepers, pace: Pace, progress: Callable[[int], None]) -> None:
    """Read until nothing is left to be read."""
    while not marking.done:
        began = keepers.clock.monotonic()
        taken = marking.take(_NODES_AT_ONCE)
        blocks = await keepers.blocks.get_many([cid for cid, _ in taken])
        await trio.to_thread.run_sync(_read, marking, taken, blocks)
        progress(len(marking.marks))
        await trio.sleep(pace.rest(keepers.clock.monotonic() - began))


def _read(marking: Marking, taken: list[tuple[CID, bool]], blocks: list[bytes | None]) -> None:
    for (cid, whole), block in zip(taken, blocks, strict=True):
        marking.read(cid, block, whole=whole)


async def _pages_of_pins(pins: Pins) -> AsyncIterator[list[Pin]]:
    after: Pin | None = None
    while page := await pins.page(after, _PAGE):
        yield page
        after = page[-1]


async def _pages_of_roots(catalogue: Catalogue) -> AsyncIterator[list[CID]]:
    """The DAG roots of what is catalogued, and what is catalogued under such a root."""
    after = b""
    while page := await catalogue.page(after, _PAGE):
        yield [record.dag_root for record in page if record.dag_root is not None]
        after = page[-1].root.multihash
