"""Fakes for pins: the port in memory, a source of content that is a dictionary, and a collector that only pretends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import trio

from chiral.block.block import Block
from chiral.block.cid import CID, RAW
from chiral.errors import CollectionBusyError, NotFoundError, TooLargeError
from chiral.interface.blockstore import Blockstore
from chiral.interface.pins import Pin, PinCounts, PinKind
from chiral.pinning.collector import CollectionStatus
from chiral.pinning.progress import CollectionProgress

_MAX_NAME_BYTES = 255
_Key = tuple[PinKind, int, bytes, bytes]


class MemoryPins:
    """Pins in a dictionary."""

    def __init__(self) -> None:
        self._pins: dict[_Key, Pin] = {}

    async def put(self, pin: Pin) -> bool:
        await trio.lowlevel.checkpoint()
        key = _key(pin)
        if pin.kind is PinKind.RECURSIVE:
            self._pins.pop(_key(replace(pin, kind=PinKind.DIRECT)), None)
        new = key not in self._pins
        self._pins.setdefault(key, pin)
        return new

    async def remove(self, pins: list[Pin]) -> int:
        await trio.lowlevel.checkpoint()
        return sum(self._pins.pop(_key(pin), None) is not None for pin in pins)

    async def of(self, cid: CID) -> list[Pin]:
        await trio.lowlevel.checkpoint()
        return [self._pins[key] for key in sorted(self._pins) if key[1:3] == (cid.codec, cid.multihash)]

    async def page(self, after: Pin | None = None, limit: int = 1000, kind: PinKind | None = None) -> list[Pin]:
        await trio.lowlevel.checkpoint()
        keys = [key for key in sorted(self._pins) if kind in (None, key[0]) and (after is None or key > _key(after))]
        return [self._pins[key] for key in keys][:limit]

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        return [bool(await self.of(cid)) for cid in cids]

    async def any_linked(self) -> bool:
        await trio.lowlevel.checkpoint()
        return any(key[1] != RAW for key in self._pins)

    async def counts(self) -> PinCounts:
        await trio.lowlevel.checkpoint()
        direct = sum(key[0] is PinKind.DIRECT for key in self._pins)
        return PinCounts(direct, len(self._pins) - direct)


class DictionarySource:
    """A `ContentSource` whose others hold `elsewhere`; what it fetches it stores in `blocks`. `files` are roots."""

    def __init__(self, blocks: Blockstore) -> None:
        self._blocks = blocks
        self.elsewhere: dict[CID, Block] = {}
        self.files: set[CID] = set()
        self.asked: list[CID] = []

    def others_hold(self, *blocks: Block) -> None:
        self.elsewhere.update({block.cid: block for block in blocks})

    async def root(self, cid: CID, *, timeout_s: float) -> bytes | None:
        if cid in self.files:
            return None
        if not (await self._blocks.has_many([cid]))[0]:
            await self.fetch(cid, [cid], timeout_s=timeout_s)
        return await self._blocks.get(cid)

    async def fetch(self, root: CID, cids: Sequence[CID], *, timeout_s: float) -> None:
        self.asked += cids
        for cid in cids:
            if cid not in self.elsewhere:
                raise NotFoundError(f"nobody has {cid}")
            await self._blocks.put_many([self.elsewhere[cid]])


class FakeCollector:
    """Looks at ten blocks in two steps and frees three; while `busy` it says that it collects already."""

    def __init__(self) -> None:
        self.busy = False
        self.started: list[bool] = []
        self.last: CollectionProgress | None = None

    async def collect(self, *, dry_run: bool = False) -> AsyncGenerator[CollectionProgress, None]:
        self.start(dry_run=dry_run)
        began = CollectionProgress("sweeping", dry_run, 1_700_000_000.0, blocks=10, marked=2, examined=5)
        yield began
        await trio.lowlevel.checkpoint()
        ended = replace(
            began, phase="done", examined=10, freed_blocks=3, freed_bytes=300, finished_at=began.started_at + 2
        )
        if not dry_run:
            self.last = ended
        yield ended

    def require_idle(self) -> None:
        if self.busy:
            raise CollectionBusyError("a collection goes on already")

    def start(self, *, dry_run: bool = False) -> None:
        self.require_idle()
        self.started.append(dry_run)

    def stop(self) -> bool:
        was, self.busy = self.busy, False
        return was

    def status(self) -> CollectionStatus:
        return CollectionStatus(None, self.last)


def _key(pin: Pin) -> _Key:
    name = pin.name.encode()
    if len(name) > _MAX_NAME_BYTES:
        raise TooLargeError("a pin's name is too long")
    return (pin.kind, pin.cid.codec, pin.cid.multihash, name)
