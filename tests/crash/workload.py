"""What the crash test's child does: files and DAGs by number, and how all of a node that keeps them is put together."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from chiral.block.block import Block
from chiral.clock import SystemClock
from chiral.errors import CollectionBusyError
from chiral.files.shelf import Shelf
from chiral.files.whole_content import WholeContent
from chiral.interface.pins import PinKind
from chiral.pinning.collector import Collector
from chiral.pinning.pinner import Pinner
from chiral.pinning.roots import Keepers
from chiral.pinning.settings import CollectionSettings
from chiral.pinning.uses import BlockUses
from chiral.pinning.watched_blocks import WatchedBlocks
from chiral.store.store import Store, open_store
from tests.fakes.exchange import ScriptedPeer
from tests.files.rig import Content, Rig
from tests.pinning.dags import tree

_STEP_BYTES = 3000
_LANES = 3
_TIMEOUT_S = 10.0
_COLLECTION = CollectionSettings(slice_ms=1.0, share=1.0)


def content_of(number: int) -> Content:
    """The file that `number` stands for; four neighbours begin alike and end at different lengths."""
    size = _STEP_BYTES * (number % 4) + random.Random(number).randrange(1, _STEP_BYTES)
    return Content(size, name=f"file {number}", seed=number // 4)


def dag_of(number: int) -> list[Block]:
    """The DAG that `number` stands for, its root first."""
    return tree(f"dag {number // 2} of {number}", width=2 + number % 3, depth=2)


@dataclass(frozen=True, slots=True)
class Keeping:
    """A node without a network over a store on the disk; `peer` holds what is to be got."""

    store: Store
    rig: Rig
    pinner: Pinner
    collector: Collector
    keepers: Keepers
    peer: ScriptedPeer


@asynccontextmanager
async def open_keeping(directory: Path) -> AsyncIterator[Keeping]:
    """All of it over the store in `directory`, with a collector that runs."""
    clock = SystemClock()
    async with open_store(directory) as store, trio.open_nursery() as nursery:
        uses = BlockUses()
        blocks = WatchedBlocks(store.blocks, uses)
        peer = ScriptedPeer(1, latency_s=0.0005)
        rig = Rig(peer, shelf=Shelf(blocks, store.catalogue, clock, uses=uses, pins=store.pins))
        source = WholeContent(rig.resolver, rig.opener, rig.fetcher, rig.shelf)
        keepers = Keepers(store.blocks, store.catalogue, store.pins, uses, clock)
        collector = Collector(keepers, store.state, _COLLECTION, quota_bytes=0)
        nursery.start_soon(collector.run)
        yield Keeping(
            store,
            rig,
            Pinner(store.pins, blocks, store.catalogue, uses, source, clock),
            collector,
            keepers,
            peer,
        )
        nursery.cancel_scope.cancel()


async def collect(keeping: Keeping) -> None:
    """Collect from the first block to the last, after the one that goes on by itself since the last kill, if any."""
    while True:
        try:
            async with aclosing(keeping.collector.collect()) as collecting:
                async for _ in collecting:
                    pass
        except CollectionBusyError:
            await trio.sleep(0.001)
        else:
            return


class Workload:
    """Adds, gets, pins, removes and collects at once, telling of each before and after."""

    def __init__(self, keeping: Keeping, first: int, told: Any, target: Path) -> None:
        self._keeping = keeping
        self._first = first
        self._told = told
        self._target = target

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            for lane in range(_LANES):
                nursery.start_soon(self._add, self._first + lane)
                nursery.start_soon(self._get, self._first + 1000 + lane)
                nursery.start_soon(self._pin, self._first + 2000 + lane)
            nursery.start_soon(self._collect)

    async def _add(self, first: int) -> None:
        for number in range(first, first + 1000, _LANES):
            content = content_of(number)

            async def parts(data: bytes = content.data) -> AsyncIterator[bytes]:
                yield data

            await self._keeping.rig.files.add_stream(parts(), name=content.info.name)
            self._told("added", number)
            await self._now_and_then_remove(number)

    async def _get(self, first: int) -> None:
        rig = self._keeping.rig
        for number in range(first, first + 1000, _LANES):
            content = content_of(number)
            self._keeping.peer.hold(content.blocks).hold_manifest(content.root, content.manifest)
            rig.publish(content, self._keeping.peer)
            target = self._target / str(number)
            await rig.files.save(content.root, target, overwrite=False, timeout_s=_TIMEOUT_S)
            self._told("got", number)
            await self._now_and_then_remove(number)

    async def _now_and_then_remove(self, number: int) -> None:
        if number % 3:
            self._told("removing", number)
            await self._keeping.rig.files.remove(content_of(number).root)
            self._told("removed", number)

    async def _pin(self, first: int) -> None:
        pinner = self._keeping.pinner
        for number in range(first, first + 1000, _LANES):
            dag = dag_of(number)
            self._keeping.peer.hold(dag)
            self._keeping.rig.scripted.routing.knows(dag[0].cid, self._keeping.peer)
            kind = PinKind.DIRECT if number % 5 == 0 else PinKind.RECURSIVE
            await pinner.add(dag[0].cid, kind=kind, timeout_s=_TIMEOUT_S)
            self._told("pinned", number)
            if number % 2:
                self._told("unpinning", number)
                await pinner.remove(dag[0].cid)
                self._told("unpinned", number)

    async def _collect(self) -> None:
        while True:
            await collect(self._keeping)
            self._told("collected", 0)
