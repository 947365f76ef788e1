"""Whatever step of an add or a get fails, nothing acknowledged is lost, no half file is left, and garbage goes."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from chiral.block.cid import CID
from chiral.clock import SystemClock
from chiral.errors import ChiralError, LocalError, StoreError, StoreFullError
from chiral.files.shelf import Shelf
from chiral.pinning.collection import Collection, ProgressStore
from chiral.pinning.pace import Pace
from chiral.pinning.roots import Keepers
from chiral.pinning.uses import BlockUses
from chiral.pinning.watched_blocks import WatchedBlocks
from tests.fakes.faults import FaultyBlockstore, FaultyCatalogue, FaultyOs, Plan
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue, MemoryDatastore
from tests.fakes.pins import MemoryPins
from tests.files.rig import Content, Rig, leftovers

MOST_STEPS = 80
_PASSED = 3
"""So many tries in a row in which nothing was struck: there are no more steps, however they fall together."""
OLD, NEW = Content(20_000, name="old", seed=1), Content(30_000, name="new.bin", seed=2)
SHARING = Content(25_000, name="sharing", seed=1)
"""Begins as the old one does."""


def no_space() -> Exception:
    return StoreFullError("no space left on the disk")


def failed_sync() -> Exception:
    return StoreError("the disk failed")


class Faulted:
    """A node whose store fails by plan; the file `OLD` is in it, acknowledged."""

    def __init__(self, *contents: Content) -> None:
        self.memory = MemoryBlockstore()
        self.blocks = FaultyBlockstore(self.memory)
        self.catalogue = FaultyCatalogue(MemoryCatalogue(self.memory))
        self.uses = BlockUses()
        clock = SystemClock()
        pins = MemoryPins()
        shelf = Shelf(WatchedBlocks(self.blocks, self.uses), self.catalogue, clock, uses=self.uses, pins=pins)
        peers = [content.at(number) for number, content in enumerate(contents, 1)]
        self.rig = Rig(*peers, shelf=shelf)
        for content, peer in zip(contents, peers, strict=True):
            self.rig.publish(content, peer)
        self._keepers = Keepers(self.memory, self.catalogue, pins, self.uses, clock)

    def fail(self, plan: Plan | None) -> None:
        self.blocks.plan = self.catalogue.plan = plan

    async def collect(self) -> None:
        state = ProgressStore(MemoryDatastore())
        await Collection(self._keepers, state, Pace(1, 1), lambda _: None, dry_run=False, enough=None).run()

    async def whole(self, root: CID) -> bool:
        """Whether the file is held, and all of it."""
        found = await self.rig.shelf.info(root)
        return found is not None and not await self.rig.shelf.missing(found[0].chunk_cids)

    async def check(self, acknowledged: list[CID]) -> None:
        """What was acknowledged is whole, as is whatever else is listed; nothing is here besides."""
        self.fail(None)
        listed = [record.root for record in await self.catalogue.page()]
        assert set(acknowledged) <= set(listed)
        for root in listed:
            assert await self.whole(root)
        await self.collect()
        for root in listed:
            assert await self.whole(root)
        for root in listed:
            await self.rig.files.remove(root)
        await self.collect()
        assert (await self.memory.stats()).blocks == 0


async def parts(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 7000):
        yield data[start : start + 7000]


async def add_stream(node: Faulted, folder: Path) -> CID:
    return (await node.rig.files.add_stream(parts(SHARING.data), name="sharing")).root


async def add_path(node: Faulted, folder: Path) -> CID:
    path = folder.with_name("source")
    path.write_bytes(SHARING.data)
    return (await node.rig.files.add_path(path)).root


async def add_small(node: Faulted, folder: Path) -> CID:
    path = folder.with_name("source")
    path.write_bytes(SHARING.data)
    [added] = await node.rig.files.add_small([(path, "small")])
    if added is None:
        raise LocalError("left to the other way of adding")
    return added.root


async def save(node: Faulted, folder: Path) -> CID:
    await node.rig.files.save(NEW.root, folder / "target", overwrite=False, timeout_s=5)
    return NEW.root


async def save_into_folder(node: Faulted, folder: Path) -> CID:
    await node.rig.files.save(NEW.root, folder, overwrite=False, timeout_s=5)
    return NEW.root


async def save_over(node: Faulted, folder: Path) -> CID:
    await node.rig.files.save(NEW.root, folder / "target", overwrite=True, timeout_s=5)
    return NEW.root


Way = Callable[[Faulted, Path], Awaitable[CID]]
WAYS: list[Way] = [add_stream, add_path, add_small, save, save_into_folder, save_over]


async def attempt(way: Way, folder: Path, plan: Plan, struck_by: Callable[[Faulted], None]) -> None:
    """One try of `way` in which the plan's step fails."""
    node = Faulted(NEW)
    await node.rig.hold(OLD)
    acknowledged = [OLD.root]
    struck_by(node)
    try:
        with trio.fail_after(10):
            acknowledged.append(await way(node, folder))
    except (ChiralError, OSError):
        assert plan.struck is not None, "it failed although nothing had"
    await node.check(acknowledged)


def check_folder(folder: Path, *, hidden: bool = False) -> None:
    """Nothing is in it but the whole file under its name, and a part under a hidden one where that is allowed."""
    found = {name for name in leftovers(folder) if not (hidden and name.startswith("."))}
    assert found <= {"target", NEW.info.name, "new (1).bin"}
    for name in found:
        assert (folder / name).read_bytes() in (NEW.data, b"before")


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("make", [no_space, failed_sync])
@pytest.mark.parametrize("way", WAYS)
async def test_the_store_fails_at_any_step(tmp_path: Path, way: Way, make: Callable[[], Exception], late: bool) -> None:
    struck: list[str | None] = []
    for at in range(MOST_STEPS):
        folder = tmp_path / str(at) / "folder"
        folder.mkdir(parents=True)
        plan = Plan(at, make, late=late)
        await attempt(way, folder, plan, lambda node, plan=plan: node.fail(plan))  # type: ignore[misc]
        check_folder(folder)
        struck.append(plan.struck)
        if struck[-_PASSED:] == [None] * _PASSED:
            break
    else:
        pytest.fail("more steps than were tried")
    assert "blocks.put_many" in struck


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["blocks.put_many", "blocks.has_many", "catalogue.put_many"])
@pytest.mark.parametrize("way", WAYS)
async def test_each_kind_of_write_fails(tmp_path: Path, way: Way, step: str, late: bool) -> None:
    for at in range(2):
        folder = tmp_path / str(at) / "folder"
        folder.mkdir(parents=True)
        plan = Plan(at, no_space, late=late, only=step)
        await attempt(way, folder, plan, lambda node, plan=plan: node.fail(plan))  # type: ignore[misc]
        check_folder(folder)
        assert plan.struck or at


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("way", [add_path, save, save_into_folder, save_over])
async def test_the_system_fails_at_any_step(
    tmp_path: Path, way: Way, code: int, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault() -> Exception:
        return OSError(code, os.strerror(code))

    struck: list[str | None] = []
    for at in range(MOST_STEPS):
        folder = tmp_path / str(at) / "folder"
        folder.mkdir(parents=True)
        if way is save_over:
            (folder / "target").write_bytes(b"before")
        plan = Plan(at, fault, late=late)
        with monkeypatch.context() as patched:
            strike(patched, plan)
            await attempt(way, folder, plan, lambda _: None)
        # What failed after it was done leaves what nobody knows of; so does a second name that could not be removed.
        check_folder(folder, hidden=late or plan.struck == "os.unlink")
        struck.append(plan.struck)
        if struck[-_PASSED:] == [None] * _PASSED:
            break
    else:
        pytest.fail("more steps than were tried")
    assert sum(step is not None for step in struck) >= 3


def strike(patched: Any, plan: Plan) -> None:
    """Have the plan's faults come from the calls that reading and writing files make."""
    faulty = FaultyOs(plan)
    for module in ("chiral.files.source", "chiral.files.save"):
        patched.setattr(f"{module}.os", faulty)
    for name in ("link", "replace", "unlink"):
        patched.setattr(os, name, getattr(faulty, name))
