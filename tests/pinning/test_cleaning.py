"""Cleaning takes what nothing keeps; deep, what is not pinned. Seed 003: clean, deep-clean."""

from __future__ import annotations

import pytest
import trio

from chiral.block.cid import CID
from chiral.errors import CollectionBusyError, PinnedError
from chiral.pinning.cleaning import Cleaned, Cleaner
from tests.pinning.dags import leaf, tree
from tests.pinning.rig import Rig, numbered


async def clean(rig: Rig, *, deep: bool, dry_run: bool = False, refuse: CID | None = None) -> Cleaned:
    collector = rig.collector()

    async def forget(root: CID) -> None:
        if root == refuse:
            raise PinnedError("pinned just now")
        await rig.catalogue.remove(root, [])

    cleaner = Cleaner(rig.catalogue, rig.pins, collector, forget)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collector.run)
        last = Cleaned(0, 0)
        async for cleaned in cleaner.clean(deep=deep, dry_run=dry_run):
            last = cleaned
        nursery.cancel_scope.cancel()
    return last


async def furnished() -> Rig:
    """A file, a pinned file, a file whose DAG is pinned, a directory, and garbage."""
    rig = Rig()
    await rig.hold_file(leaf("loose"))
    pinned = await rig.hold_file(leaf("pinned"))
    await rig.pin(pinned.root)
    dag = tree("dag of a file")
    await rig.put(*dag)
    await rig.hold_file(leaf("by its dag"), dag_root=dag[0].cid)
    await rig.pin(dag[0].cid)
    await rig.hold_dag(tree("directory"))
    await rig.put(*numbered(5))
    return rig


async def test_clean() -> None:
    rig = await furnished()
    cleaned = await clean(rig, deep=False)
    assert cleaned.files == 0
    assert cleaned.collection is not None
    assert cleaned.collection.freed_blocks == 5
    assert await rig.catalogue.count() == 4
    assert await rig.all_here([leaf("loose"), leaf("pinned"), leaf("by its dag"), *tree("directory")])


async def test_deep_clean() -> None:
    rig = await furnished()
    planned = await clean(rig, deep=True, dry_run=True)
    assert await rig.catalogue.count() == 4
    cleaned = await clean(rig, deep=True)
    assert planned.files == cleaned.files == 2
    assert planned.file_bytes == cleaned.file_bytes == len("loose")
    assert cleaned.collection is not None
    assert cleaned.collection.freed_blocks == 5 + 1 + len(tree("directory"))
    assert await rig.all_here([leaf("pinned"), leaf("by its dag"), *tree("dag of a file")])
    assert await rig.none_here([leaf("loose"), *tree("directory"), *numbered(5)])
    assert (await rig.pins.counts()).recursive == 2


async def test_a_file_pinned_meanwhile_stays() -> None:
    rig = Rig()
    record = await rig.hold_file(leaf("a"))
    assert (await clean(rig, deep=True, refuse=record.root)).files == 0
    assert await rig.all_here([leaf("a")])


async def test_nothing_is_forgotten_while_a_collection_goes_on() -> None:
    rig = Rig()
    await rig.hold_file(leaf("a"))
    collector = rig.collector()
    collector.start()
    cleaner = Cleaner(rig.catalogue, rig.pins, collector, lambda root: rig.catalogue.remove(root, []))
    with pytest.raises(CollectionBusyError):
        await anext(cleaner.clean(deep=True, dry_run=False))
    assert await rig.catalogue.count() == 1
