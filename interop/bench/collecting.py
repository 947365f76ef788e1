"""Collecting: 100,000 dead blocks among a million small ones, while others read and write.

Of those that live nine tenths are chunks of files, which the catalogue says, and one is below pins, which marks say.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.clock import SystemClock
from chiral.dag.dag_pb import PbLink, encode_node
from chiral.dag.file_info import FileInfo
from chiral.interface.catalogue import FileRecord
from chiral.interface.pins import Pin, PinKind
from chiral.pinning.collector import Collector
from chiral.pinning.digest_set import DigestSet
from chiral.pinning.progress import CollectionProgress
from chiral.pinning.roots import Keepers
from chiral.pinning.settings import CollectionSettings
from chiral.pinning.uses import BlockUses
from chiral.pinning.watched_blocks import WatchedBlocks
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from interop.bench import collecting_works as works
from interop.bench.run import Run
from interop.bench.work import MIB_BYTES, PYTHON, TMPFS, Sample

_QUICK_PART = 10
_CHUNKS_A_FILE = 1000
_LINKS_A_NODE = 174
_PINNED_PART = 10
_BATCH_BLOCKS = 5000
_WRITTEN_BEFORE_BLOCKS = 10
_READ_EVERY_S, _WRITE_EVERY_S = 0.002, 0.05


@dataclass(slots=True)
class _Latencies:
    """Of what others did meanwhile, in milliseconds."""

    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)


async def measure(run: Run) -> None:
    """Fill a store, count what would go, collect it with readers and a writer beside, and see that it is right."""
    folder = run.folder(TMPFS, "collect")
    part = _QUICK_PART if run.options.quick else 1
    blocks, dead = works.BLOCKS // part, works.DEAD // part
    try:
        async with open_store(folder, StoreSettings(durable=False)) as store:
            living = await _fill(store, blocks - dead, dead)
            run.say(f"  {blocks} blocks stored")
            run.figures.take(await _collect(store, living, dead, quick=run.options.quick))
    finally:
        await trio.to_thread.run_sync(partial(shutil.rmtree, Path(folder), ignore_errors=True))
    size = await trio.to_thread.run_sync(_marks_bytes, works.BLOCKS)
    run.figures.take([Sample(works.MARKS, PYTHON, size / MIB_BYTES)])


async def _fill(store: Store, alive: int, dead: int) -> list[CID]:
    """Have `alive` blocks that are kept and `dead` that are not; some of those that are kept."""
    living: list[CID] = []
    pinned = alive // _PINNED_PART
    for start in range(0, alive - pinned, _CHUNKS_A_FILE):
        chunks = _blocks("file", start, min(_CHUNKS_A_FILE, alive - pinned - start))
        await store.blocks.put_many(chunks)
        info = FileInfo.of(f"file {start}", sum(map(len, chunks)), [chunk.cid for chunk in chunks], 1)
        record = FileRecord(info.root_cid, info.name, info.size, len(chunks), 1, 1)
        await store.catalogue.put(record, info.to_json())
        living += [chunk.cid for chunk in chunks[::20]]
    for start in range(0, pinned, _LINKS_A_NODE):
        leaves = _blocks("leaf", start, min(_LINKS_A_NODE, pinned - start))
        node = Block.of(encode_node([PbLink(leaf.cid, "") for leaf in leaves], None), DAG_PB)
        await store.blocks.put_many([node, *leaves])
        await store.pins.put(Pin(node.cid, PinKind.RECURSIVE))
        living.append(node.cid)
    for start in range(0, dead, _BATCH_BLOCKS):
        await store.blocks.put_many(_blocks("dead", start, min(_BATCH_BLOCKS, dead - start)))
    return living


def _blocks(kind: str, start: int, count: int) -> list[Block]:
    return [
        Block.of(f"{kind} {number} ".encode().ljust(works.BLOCK_BYTES, b".")) for number in range(start, start + count)
    ]


async def _collect(store: Store, living: Sequence[CID], dead: int, *, quick: bool) -> list[Sample]:
    uses = BlockUses()
    keepers = Keepers(store.blocks, store.catalogue, store.pins, uses, SystemClock())
    collector = Collector(keepers, store.state, CollectionSettings(), quota_bytes=0)
    latencies = _Latencies()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collector.run)
        dry_s = await _timed(collector, dead, dry_run=True)
        async with _others(WatchedBlocks(store.blocks, uses), living, latencies):
            seconds = await _timed(collector, dead, dry_run=False)
        nursery.cancel_scope.cancel()
    samples = [Sample(works.READ_P99, PYTHON, _p99(latencies.reads))]
    samples.append(Sample(works.WRITTEN_P99, PYTHON, _p99(latencies.writes)))
    if not quick:
        samples += [Sample(works.DRY, PYTHON, dry_s), Sample(works.COLLECTED, PYTHON, seconds)]
    return samples


async def _timed(collector: Collector, dead: int, *, dry_run: bool) -> float:
    """Seconds of one collection; raises `ValueError` if it freed anything but what is dead.

    A block or two that was written before it began, and that nobody keeps, goes too.
    """
    started = time.perf_counter()
    last: CollectionProgress | None = None
    async with aclosing(collector.collect(dry_run=dry_run)) as collecting:
        async for progress in collecting:
            last = progress
    seconds = time.perf_counter() - started
    if last is None or not dead <= last.freed_blocks <= dead + _WRITTEN_BEFORE_BLOCKS:
        raise ValueError(f"a collection of {dead} dead blocks ended as {last}")
    return seconds


@asynccontextmanager
async def _others(blocks: WatchedBlocks, living: Sequence[CID], latencies: _Latencies) -> AsyncIterator[None]:
    """Others read what is here, at random, and write what is new, within the block."""
    rng = random.Random(6)

    async def read() -> None:
        while True:
            cid = rng.choice(living)
            started = time.perf_counter()
            if await blocks.get(cid) is None:
                raise ValueError(f"{cid} was kept and is gone")
            latencies.reads.append((time.perf_counter() - started) * 1000)
            await trio.sleep(_READ_EVERY_S)

    async def write() -> None:
        while True:
            block = Block.of(rng.randbytes(works.BLOCK_BYTES))
            started = time.perf_counter()
            await blocks.put_many([block])
            latencies.writes.append((time.perf_counter() - started) * 1000)
            await trio.sleep(_WRITE_EVERY_S)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(write)
        yield
        nursery.cancel_scope.cancel()


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]


def _marks_bytes(count: int) -> int:
    marks = DigestSet()
    marks.update(CID.of(number.to_bytes(4, "big")).multihash for number in range(count))
    return marks.size_bytes
