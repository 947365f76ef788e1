"""What the swarm is told, when, and that no fault of the routing or the catalogue reaches who added a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.dag.file_info import FileInfo
from chiral.errors import LocalError, StoreError
from chiral.interface.catalogue import FileRecord
from chiral.interface.routing import ProvideResult
from chiral.node.announcements import Announcements, AnnouncePlan, root_keys
from tests.fakes.exchange import ScriptedRouting
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue


class Desk:
    """Announcements over a catalogue in memory and a routing that notes what it is told."""

    def __init__(self, *, delay_s: float = 0.0, plan: AnnouncePlan | None = None) -> None:
        self.routing = ScriptedRouting(delay_s=delay_s)
        self.catalogue = MemoryCatalogue(MemoryBlockstore())
        self.announcements = Announcements(self.routing, self.catalogue, plan)

    async def file(self, *contents: bytes) -> tuple[CID, list[CID]]:
        """Root and chunks of a new file in the catalogue."""
        chunks = [Block.of(content).cid for content in contents]
        info = FileInfo.of("f", sum(map(len, contents)), chunks, 1)
        await self.catalogue.put(FileRecord(info.root_cid, "f", info.size, len(chunks), 1, 1), info.to_json())
        return info.root_cid, chunks

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.announcements.run)
            yield
            nursery.cancel_scope.cancel()

    async def until_announced(self, *keys: bytes) -> None:
        with trio.fail_after(5):
            while not set(keys) <= set(self.routing.announced):
                await self.routing.told.wait()


def test_a_root_has_two_keys_but_a_cid_of_version_0_one() -> None:
    cid = CID.of(b"x")
    assert root_keys(cid) == [cid.buffer, cid.multihash]
    assert root_keys(CID(0, 0x70, cid.multihash)) == [cid.multihash]


async def test_a_new_root_is_announced_at_once_and_its_chunks_behind() -> None:
    desk = Desk()
    root, chunks = await desk.file(b"a", b"b", b"a")
    async with desk.running():
        await desk.announcements.added(root)
        assert desk.routing.announced == root_keys(root)
        await desk.until_announced(*(chunk.buffer for chunk in chunks))
    assert desk.routing.provided == [root_keys(root)]
    assert desk.routing.scheduled == [[chunk.buffer for chunk in chunks[:2]]]
    assert not desk.routing.by_hand


async def test_a_dag_root_is_kept_announced_unless_it_is_a_chunk() -> None:
    desk = Desk()
    dag, directory = CID.of(b"dag", DAG_PB), CID.of(b"directory", DAG_PB)
    roots = []
    for name, dag_root in (("f", dag), ("g", CID.of(b"chunk"))):
        info = FileInfo.of(name, 1, [CID.of(name.encode())], 1)
        roots.append(info.root_cid)
        await desk.catalogue.put(FileRecord(info.root_cid, name, 1, 1, 1, 1, dag_root), info.to_json())
    await desk.catalogue.put(FileRecord(directory, "d", 1, 1, 1, 1, directory, "directory"), None)
    await desk.announcements.resume()
    wanted = {key for root in (*roots, dag, directory) for key in root_keys(root)}
    assert wanted <= set(desk.routing.announced)
    assert CID.of(b"chunk").multihash not in desk.routing.announced


async def test_new_roots_together_are_announced_together() -> None:
    desk = Desk()
    one, _ = await desk.file(b"a")
    two, _ = await desk.file(b"b")
    async with desk.running():
        await desk.announcements.added(one, two)
        assert desk.routing.provided == [[*root_keys(one), *root_keys(two)]]


async def test_an_add_waits_ten_seconds_at_most_and_the_root_is_told_behind(autojump_clock: MockClock) -> None:
    desk = Desk(delay_s=12.0)
    root, _ = await desk.file(b"a")
    async with desk.running():
        await desk.announcements.added(root)
        assert trio.current_time() == 10.0
        await desk.until_announced(*root_keys(root))
        assert trio.current_time() == 12.0


async def test_files_added_at_the_same_time_are_announced_together(autojump_clock: MockClock) -> None:
    desk = Desk(delay_s=1.0)
    roots = [(await desk.file(b"%d" % number))[0] for number in range(100)]
    async with desk.running(), trio.open_nursery() as nursery:
        for root in roots:
            nursery.start_soon(desk.announcements.added, root)
        await wait_all_tasks_blocked()
        nursery.start_soon(desk.announcements.added, roots[0])
    assert trio.current_time() <= 2.0
    assert len(desk.routing.provided) <= 4


async def test_a_root_does_not_wait_for_the_chunks_of_others(autojump_clock: MockClock) -> None:
    desk = Desk(delay_s=5.0)
    big, _ = await desk.file(*(b"%d" % number for number in range(5000)))
    small, _ = await desk.file(b"small")
    async with desk.running():
        await desk.announcements.added(big)
        await trio.sleep(1.0)
        await desk.announcements.added(small)
    assert trio.current_time() == 11.0


async def test_an_add_whose_caller_went_away_is_announced_all_the_same() -> None:
    desk = Desk(delay_s=100.0)
    root, chunks = await desk.file(b"a")
    with trio.CancelScope() as scope:
        scope.cancel()
        await desk.announcements.added(root)
    desk.routing.delay_s = 0.0
    async with desk.running():
        await desk.until_announced(*root_keys(root), chunks[0].buffer)


async def test_a_fetched_file_is_announced_behind() -> None:
    desk = Desk()
    root, chunks = await desk.file(b"a")
    async with desk.running():
        await wait_all_tasks_blocked()
        desk.announcements.fetched(root)
        await desk.until_announced(*root_keys(root), chunks[0].buffer)


async def test_what_is_removed_is_announced_no_longer() -> None:
    desk = Desk()
    root, chunks = await desk.file(b"a", b"b")
    await desk.announcements.provide(root)
    await desk.announcements.provide(chunks[0])
    await desk.announcements.removed(root, chunks[:1])
    assert desk.routing.announced == [chunks[0].multihash]


async def test_a_file_that_is_gone_when_its_turn_comes_is_passed_over() -> None:
    desk = Desk()
    gone, _ = await desk.file(b"a")
    root, chunks = await desk.file(b"b")
    desk.announcements.fetched(gone)
    desk.announcements.fetched(root)
    await desk.catalogue.remove(gone, [])
    async with desk.running():
        await desk.until_announced(chunks[0].buffer)
    assert CID.of(b"a").buffer not in desk.routing.announced


async def test_small_files_are_announced_many_at_a_time() -> None:
    desk = Desk()
    for number in range(600):
        root, _ = await desk.file(b"%d" % number)
        desk.announcements.fetched(root)
    async with desk.running():
        await desk.until_announced(CID.of(b"599").buffer)
    assert [len(keys) for keys in desk.routing.provided] == [1200]
    assert len(desk.routing.scheduled) == 6


async def test_more_than_can_wait_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chiral.node.announcements._MAX_WAITING", 10)
    desk = Desk()
    for number in range(300):
        root, _ = await desk.file(b"%d" % number)
        desk.announcements.fetched(root)
    async with desk.running():
        await desk.until_announced(*(CID.of(b"%d" % number).buffer for number in range(300)))


async def test_a_start_has_the_whole_catalogue_kept_announced() -> None:
    desk = Desk()
    files = [await desk.file(b"%d" % number, b"more %d" % number) for number in range(250)]
    await desk.announcements.resume()
    roots = {key for root, _ in files for key in root_keys(root)}
    assert set(desk.routing.announced) == roots | {chunk.buffer for _, chunks in files for chunk in chunks}
    assert desk.routing.provided == []


async def test_a_start_ends_what_the_catalogue_holds_no_longer_but_not_what_was_provided_by_hand() -> None:
    desk = Desk()
    root, chunks = await desk.file(b"a")
    gone = CID.of(b"gone")
    await desk.routing.schedule([gone.buffer])
    await desk.announcements.provide(CID.of(b"by hand"))
    await desk.announcements.resume()
    assert set(desk.routing.announced) == {*root_keys(root), chunks[0].buffer, *root_keys(CID.of(b"by hand"))}


async def test_the_manifests_of_many_files_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    reads: list[int] = []
    manifests = desk.catalogue.manifests

    async def counted(roots: Sequence[CID]) -> list[bytes | None]:
        reads.append(len(roots))
        return await manifests(roots)

    monkeypatch.setattr(desk.catalogue, "manifests", counted)
    for number in range(250):
        await desk.file(b"%d" % number)
    await desk.announcements.resume()
    assert reads == [100, 100, 50]
    assert len(desk.routing.announced) == 750


class TestPlan:
    async def told(self, plan: AnnouncePlan) -> set[bytes]:
        """What is announced of a file added, one fetched and one of the last run."""
        desk = Desk(plan=plan)
        files = [await desk.file(b"%d" % number) for number in range(3)]
        self.roots = [root for root, _ in files]
        self.chunks = [chunks[0] for _, chunks in files]
        async with desk.running():
            await desk.announcements.resume()
            await desk.announcements.added(self.roots[0])
            desk.announcements.fetched(self.roots[1])
            await wait_all_tasks_blocked()
        return set(desk.routing.announced)

    async def test_roots_alone(self) -> None:
        assert await self.told(AnnouncePlan("roots")) == {key for root in self.roots for key in root_keys(root)}

    async def test_nothing(self) -> None:
        assert await self.told(AnnouncePlan("off")) == set()

    async def test_one_form_of_key_alone(self) -> None:
        assert await self.told(AnnouncePlan("all", "cid")) == {cid.buffer for cid in self.roots + self.chunks}
        assert await self.told(AnnouncePlan("all", "multihash")) == {cid.multihash for cid in self.roots + self.chunks}

    async def test_off_ends_what_the_last_run_announced_and_leaves_providing_by_hand(self) -> None:
        desk = Desk(plan=AnnouncePlan("off"))
        root, _ = await desk.file(b"a")
        await desk.routing.schedule(root_keys(root))
        await desk.announcements.provide(root)
        await desk.routing.schedule([b"other"])
        await desk.announcements.resume()
        assert desk.routing.announced == root_keys(root)

    async def test_what_is_removed_ends_under_the_keys_it_had(self) -> None:
        desk = Desk(plan=AnnouncePlan("all", "multihash"))
        root, chunks = await desk.file(b"a")
        await desk.announcements.resume()
        await desk.announcements.removed(root, chunks)
        assert desk.routing.announced == []


class TestFaults:
    async def test_of_the_routing_do_not_reach_who_added(self, monkeypatch: pytest.MonkeyPatch) -> None:
        desk = Desk()
        root, chunks = await desk.file(b"a")
        provide, failures = desk.routing.provide, [trio.Event(), trio.Event()]

        async def failing(keys: list[bytes], **options: bool) -> list[ProvideResult]:
            for failure in failures:
                if not failure.is_set():
                    failure.set()
                    raise LocalError("the DHT is not running")
            return await provide(keys, **options)

        monkeypatch.setattr(desk.routing, "provide", failing)
        async with desk.running():
            with trio.fail_after(5):
                await desk.announcements.added(root)
                await desk.until_announced(chunks[0].buffer)
                await desk.announcements.added(root)
            assert failures[1].is_set()
            desk.announcements.fetched(root)
            await desk.until_announced(*root_keys(root))

    async def test_of_one_manifest_keep_no_other_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        desk = Desk()
        rotten, _ = await desk.file(b"a")
        _, chunks = await desk.file(b"b")
        manifests = desk.catalogue.manifests

        async def read(roots: Sequence[CID]) -> list[bytes | None]:
            held = await manifests(roots)
            return [b"{" if root == rotten else manifest for root, manifest in zip(roots, held, strict=True)]

        monkeypatch.setattr(desk.catalogue, "manifests", read)
        await desk.announcements.resume()
        assert chunks[0].buffer in desk.routing.announced

    async def test_of_the_catalogue_end_a_start_and_nothing_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        desk = Desk()

        async def refuse(*_: object) -> list[FileRecord]:
            raise StoreError("a file record in the store cannot be read")

        monkeypatch.setattr(desk.catalogue, "page", refuse)
        await desk.announcements.resume()
        assert desk.routing.announced == []
