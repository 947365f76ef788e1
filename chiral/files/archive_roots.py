"""What becomes of the roots of an archive that was taken in: looked at, entered in the catalogue, pinned, announced."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

import trio

from chiral.block.cid import CID
from chiral.clock import Clock
from chiral.dag.dag_node import DagNode
from chiral.errors import MalformedContentError, sole_error
from chiral.files.announcer import Announcer
from chiral.files.archive_blocks import Further, Loaded
from chiral.files.archive_order import DepthFirst
from chiral.files.archive_results import FIRST_MISSING, ImportedRoot, Missing
from chiral.files.archive_seen import KEY_BYTES
from chiral.files.archive_stat import unixfs_of
from chiral.files.archive_walk import DagWalk
from chiral.files.entries import Entry, dag_file_record, directory_record, enter
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue
from chiral.interface.pins import Pin, PinKind, Pins
from chiral.pinning.links import every_link, may_link

_FEW_ROOTS = 64
_PINS_AT_ONCE = 64
"""What waits meanwhile shares one transaction."""
_READ_INLINE_BYTES = 16 << 10


class NodeSource:
    """The nodes of DAGs whose blocks were just held against their CIDs: leaves are only asked for, not read."""

    def __init__(self, store: Blockstore) -> None:
        self._store = store

    async def load(self, cids: Sequence[CID], further: Further = tuple) -> list[Loaded | None]:
        """None for what is not here; without bytes and links for what cannot be read or has no links by its codec."""
        nodes = [cid for cid in cids if may_link(cid)]
        blocks = dict(zip(nodes, await self._store.get_many(nodes), strict=True)) if nodes else {}
        if sum(len(block or b"") for block in blocks.values()) <= _READ_INLINE_BYTES:
            links = _links_of_all(blocks)
        else:
            links = await trio.to_thread.run_sync(_links_of_all, blocks)
        others = [cid for cid in cids if not may_link(cid)]
        here = {cid for cid, held in zip(others, await self._store.has_many(others), strict=True) if held}
        return [links.get(cid) if cid in blocks else Loaded(b"", ()) if cid in here else None for cid in cids]


@dataclass(frozen=True, slots=True)
class Found:
    """What lies below the roots: how many leaves, and what of it is not here."""

    leaves: int
    missing: Missing


async def look_below(roots: Sequence[CID], store: Blockstore) -> Found:
    """Go through all nodes below `roots`, leaves of raw bytes unread."""
    order = DepthFirst(roots, os.urandom(KEY_BYTES))
    leaves, missing = 0, Missing()
    async with aclosing(DagWalk(order, NodeSource(store)).batches()) as batches:
        async for batch in batches:
            await trio.lowlevel.checkpoint()
            for visit in batch:
                if visit.data is None:
                    missing = missing.and_also(visit.cid)
                leaves += not visit.links
    return Found(leaves - missing.count, missing)


class RootKeeper:
    """One node's. Keeps only roots with everything below them: what is incomplete is neither entered nor pinned."""

    def __init__(self, store: Blockstore, catalogue: Catalogue, pins: Pins, announcer: Announcer, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._pins = pins
        self._announcer = announcer
        self._clock = clock

    async def keep(self, roots: Sequence[CID], name: str, *, pin: bool) -> tuple[tuple[ImportedRoot, ...], Missing]:
        """Enter the roots that are files or directories, announce them, and pin all of them if wanted.

        `name` is what a single root is called in the catalogue; of several each is called by its CID. Returns what
        became of each, and what is missing below them.
        """
        found = await self._look(roots)
        here = await self._store.has_many(roots)
        whole = [held and not below.missing.count for held, below in zip(here, found, strict=True)]
        entries: list[Entry] = []
        for root, below, is_whole in zip(roots, found, whole, strict=True):
            entry = await self._entry(root, name if len(roots) == 1 else str(root), below) if is_whole else None
            if entry is not None:
                entries.append(entry)
        await enter(self._catalogue, entries)
        if pin:
            await self._pin([root for root, is_whole in zip(roots, whole, strict=True) if is_whole])
        for record, _ in entries:
            self._announcer.fetched(record.root)
        states = zip(roots, here, whole, strict=True)
        kept = (ImportedRoot(root, held, is_whole, pinned=pin and is_whole) for root, held, is_whole in states)
        return tuple(kept), _all_missing(found)

    async def _pin(self, roots: Sequence[CID]) -> None:
        now = int(self._clock.wall())
        with sole_error():
            for start in range(0, len(roots), _PINS_AT_ONCE):
                async with trio.open_nursery() as nursery:
                    for root in roots[start : start + _PINS_AT_ONCE]:
                        nursery.start_soon(self._pins.put, Pin(root, PinKind.RECURSIVE, created_at=now))

    async def _look(self, roots: Sequence[CID]) -> list[Found]:
        """What lies below each root; many roots may share what is below them, so those are gone through as one."""
        if len(roots) > _FEW_ROOTS:
            return [await look_below(roots, self._store)] * len(roots)
        return [await look_below([root], self._store) for root in roots]

    async def _entry(self, root: CID, name: str, below: Found) -> Entry | None:
        """The entry of a root that is a file or a directory and that no entry has yet."""
        block = await self._store.get(root)
        node = None if block is None else unixfs_of(root, block)
        if node is None or await self._catalogue.by_dag_root(root) is not None:
            return None
        now = int(self._clock.wall())
        if node.is_directory:
            return directory_record(root, name, _size_of_directory(node), below.leaves, now), None
        if node.is_file:
            return dag_file_record(root, name, node.file_size, max(1, below.leaves), now), None
        return None


def _all_missing(found: Sequence[Found]) -> Missing:
    """What is missing below any of the roots; blocks that several of them lack are counted for each."""
    different = list({id(below): below.missing for below in found}.values())
    first = dict.fromkeys(cid for missing in different for cid in missing.first)
    return Missing(sum(missing.count for missing in different), tuple(first)[:FIRST_MISSING])


def _links_of_all(blocks: dict[CID, bytes | None]) -> dict[CID, Loaded]:
    found = {}
    for cid, data in blocks.items():
        if data is not None:
            try:
                links = [link.buffer for link in every_link(cid, data)]
            except MalformedContentError:  # no less here for that
                links = []
            found[cid] = Loaded(b"", links)
    return found


def _size_of_directory(node: DagNode) -> int:
    """What its links claim."""
    return sum(link.tsize or 0 for link in node.pb.links) if node.pb is not None else 0
