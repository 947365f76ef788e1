"""A collection removes what nothing keeps, and nothing else, whatever goes on meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import IntegrityError, StoreError
from chiral.interface.catalogue import FileRecord
from chiral.interface.pins import PinKind
from chiral.pinning.digest_set import DigestSet
from chiral.pinning.levels import Levels
from chiral.pinning.progress import CollectionProgress
from chiral.pinning.sweep import Sweep
from tests.fakes.memory_store import MemoryBlockstore
from tests.pinning.dags import leaf, node, tree
from tests.pinning.rig import Rig, numbered


def at(phase: str, act: Callable[[], None]) -> Callable[[CollectionProgress], None]:
    """Calls `act` once, when a collection first says that it is in `phase`."""
    done: list[bool] = []

    def told(progress: CollectionProgress) -> None:
        if progress.phase == phase and not done:
            done.append(True)
            act()

    return told


class TestWhatStays:
    async def test_garbage_goes(self) -> None:
        rig, dead = Rig(), numbered(100)
        await rig.put(*dead)
        ended = await rig.collection().run()
        assert (ended.phase, ended.freed_blocks, ended.examined, ended.blocks) == ("done", 100, 100, 100)
        assert ended.freed_bytes == sum(map(len, dead))
        assert (await rig.store.stats()).blocks == 0

    async def test_files_directories_and_pins_stay(self) -> None:
        rig, dead = Rig(), numbered(50)
        chunks, directory, pinned = numbered(10, "chunk"), tree("directory"), tree("pinned")
        alone = tree("alone")
        await rig.hold_file(*chunks)
        await rig.hold_dag(directory)
        await rig.put(*dead, *pinned, *alone)
        await rig.pin(pinned[0].cid)
        await rig.pin(alone[0].cid, PinKind.DIRECT)
        ended = await rig.collection().run()
        assert await rig.all_here([*chunks, *directory, *pinned, alone[0]])
        assert await rig.none_here([*dead, *alone[1:]])
        assert ended.freed_blocks == len(dead) + len(alone) - 1

    async def test_pins_alone_keep_what_they_name(self) -> None:
        rig, pinned, dead = Rig(), tree("pinned"), numbered(5)
        await rig.put(*pinned, *dead)
        await rig.pin(pinned[0].cid)
        assert (await rig.collection().run()).marked == len(pinned)
        assert await rig.all_here(pinned)
        assert await rig.none_here(dead)

    async def test_the_dag_of_a_file_stays_with_it_and_goes_without_it(self) -> None:
        rig, dag = Rig(), tree("file")
        record = await rig.hold_file(leaf("chunk"), dag_root=dag[0].cid)
        await rig.put(*dag)
        await rig.collection().run()
        assert await rig.all_here(dag)
        await rig.catalogue.remove(record.root, [])
        await rig.collection().run()
        assert (await rig.store.stats()).blocks == 0

    async def test_a_file_s_dag_that_is_not_here_is_no_fault(self) -> None:
        rig = Rig()
        await rig.hold_file(leaf("chunk"), dag_root=tree("elsewhere")[0].cid)
        await rig.collection().run()
        assert await rig.all_here([leaf("chunk")])

    async def test_a_pinned_dag_that_is_not_whole_ends_it_before_anything_goes(self) -> None:
        rig, dag, dead = Rig(), tree("pinned"), numbered(5)
        await rig.put(dag[0], *dead)
        await rig.pin(dag[0].cid)
        with pytest.raises(IntegrityError, match="pin"):
            await rig.collection().run()
        assert await rig.all_here(dead)

    async def test_a_dry_run_removes_nothing_and_tells_what_would_go(self) -> None:
        rig, dead = Rig(), numbered(20)
        await rig.hold_file(leaf("kept"))
        await rig.put(*dead)
        would = await rig.collection(dry_run=True).run()
        assert await rig.all_here(dead)
        assert await rig.progress.last() is None
        did = await rig.collection().run()
        assert (would.freed_blocks, would.freed_bytes) == (did.freed_blocks, did.freed_bytes) == (20, 130)


class TestMeanwhile:
    async def test_what_is_stored_while_it_marks_stays(self) -> None:
        rig, late = Rig(), numbered(30, "late")
        await rig.put(*numbered(30))
        async with trio.open_nursery() as nursery:
            await rig.collection(at("marking", lambda: nursery.start_soon(rig.put, *late))).run()
        assert await rig.all_here(late)
        assert await rig.none_here(numbered(30))

    async def test_what_was_here_before_and_is_stored_again_stays(self) -> None:
        rig, dead = Rig(), numbered(40)
        await rig.put(*dead)
        async with trio.open_nursery() as nursery:
            await rig.collection(at("marking", lambda: nursery.start_soon(rig.put, *dead[:5]))).run()
        assert await rig.all_here(dead[:5])
        assert await rig.none_here(dead[5:])

    async def test_an_add_that_began_before_and_ends_after(self) -> None:
        rig, chunks = Rig(), numbered(30, "chunk")
        used = [chunk.cid for chunk in chunks[:10]]
        async with rig.uses.using(used):
            await rig.put(*chunks[:10])
            await rig.collection().run()
            used += [chunk.cid for chunk in chunks[10:]]
            await rig.put(*chunks[10:])
            await rig.collection().run()
            assert await rig.all_here(chunks)
            await rig.hold_file(*chunks)
        await rig.collection().run()
        assert await rig.all_here(chunks)

    async def test_an_add_that_ends_while_it_sweeps(self) -> None:
        """Its blocks are neither marked nor used any more when they are come upon."""
        rig, chunks = Rig(), numbered(30, "chunk")
        entered = trio.Event()

        async def add(begun: trio.Event) -> None:
            async with rig.uses.using([chunk.cid for chunk in chunks]):
                await rig.put(*chunks)
                begun.set()
                await entered.wait()
                await rig.hold_file(*chunks)

        async with trio.open_nursery() as nursery:
            begun = trio.Event()
            nursery.start_soon(add, begun)
            await begun.wait()
            await rig.collection(at("sweeping", entered.set)).run()
        assert await rig.all_here(chunks)

    async def test_what_was_stored_for_an_add_but_is_in_no_list_of_it(self) -> None:
        """Nodes of a DAG, say: stored before the collection began, by somebody who is still at it."""
        rig, dag = Rig(), tree("being made")
        async with rig.uses.using([]):
            await rig.put(*dag)
            await rig.collection().run()
            assert await rig.all_here(dag)
        await rig.collection().run()
        assert await rig.none_here(dag)

    async def test_a_directory_made_of_what_was_here_while_it_sweeps(self) -> None:
        """Nothing of it is stored, marked, or in use any more when it is come upon."""
        rig, dag = Rig(), tree("made")
        await rig.put(*dag)

        async def make() -> None:
            async with rig.uses.using([block.cid for block in dag]):
                root = dag[0].cid
                record = FileRecord(root, "d", 0, 0, 1, 1, dag_root=root, kind="directory")
                await rig.catalogue.put(record, None)

        async with trio.open_nursery() as nursery:
            sweep = rig.store.page
            made: list[bool] = []

            async def page(after: bytes = b"", limit: int = 1000) -> list[CID]:
                if not made:
                    made.append(True)
                    nursery.start_soon(make)
                    await wait_all_tasks_blocked()
                return await sweep(after, limit)

            rig.store.page = page  # type: ignore[method-assign]
            await rig.collection().run()
        assert await rig.all_here(dag)

    async def test_a_file_that_entered_between_a_look_and_the_removal(self) -> None:
        rig, chunks = Rig(), numbered(5, "chunk")
        await rig.put(*chunks)
        async with rig.uses.collecting():
            sweep = Sweep(rig.keepers, DigestSet(), b"", dry_run=False)
            assert await sweep.look(100) == 5
            info = FileInfo.of("f", 0, [chunk.cid for chunk in chunks], 1)
            await rig.catalogue.put(FileRecord(info.root_cid, "f", 0, 5, 1, 1), info.to_json())
            assert await sweep.remove() == (0, 0)
        assert await rig.all_here(chunks)

    async def test_below_a_root_that_is_being_completed_all_that_is_here_stays(self) -> None:
        rig, dag = Rig(), tree("on its way")
        await rig.put(*dag[:-2])
        with rig.uses.completing(dag[0].cid):
            await rig.collection().run()
        assert await rig.all_here(dag[:-2])

    async def test_a_failed_add_leaves_nothing(self) -> None:
        rig, chunks = Rig(), numbered(30, "chunk")

        async def fail() -> None:
            async with rig.uses.using([chunk.cid for chunk in chunks]):
                await rig.put(*chunks)
                raise StoreError("no more")

        with pytest.raises(StoreError):
            await fail()
        await rig.collection().run()
        assert (await rig.store.stats()).blocks == 0

    async def test_a_block_about_to_go_that_is_stored_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever stores it between the decision and the removal has it in the end."""
        rig, dead = Rig(), numbered(10)
        await rig.put(*dead)
        delete = rig.store.delete_many
        async with trio.open_nursery() as nursery:

            async def slow_delete(cids: object) -> int:
                nursery.start_soon(rig.put, dead[3])
                await wait_all_tasks_blocked()
                return await delete(cids)  # type: ignore[arg-type]

            monkeypatch.setattr(rig.store, "delete_many", slow_delete)
            await rig.collection().run()
        assert await rig.here(dead) == [number == 3 for number in range(10)]

    async def test_a_use_that_begins_while_blocks_go_waits_and_sees_them_gone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig, dead = Rig(), numbered(10)
        await rig.put(*dead)
        delete = rig.store.delete_many
        seen: list[list[bool]] = []

        async def use() -> None:
            async with rig.uses.using([block.cid for block in dead]):
                seen.append(await rig.here(dead))

        async with trio.open_nursery() as nursery:

            async def slow_delete(cids: object) -> int:
                nursery.start_soon(use)
                await wait_all_tasks_blocked()
                assert not seen
                return await delete(cids)  # type: ignore[arg-type]

            monkeypatch.setattr(rig.store, "delete_many", slow_delete)
            await rig.collection().run()
        assert seen == [[False] * 10]

    async def test_a_dag_that_is_being_completed(self) -> None:
        rig, dag = Rig(), tree("pinned", depth=3)
        await rig.put(*dag[:20])
        rig.source.others_hold(*dag)
        ended: list[CollectionProgress] = []

        async def collect_again_and_again() -> None:
            for _ in range(5):
                ended.append(await rig.collection(blocks=4).run())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect_again_and_again)
            pinned = await rig.pinner.add(dag[0].cid, timeout_s=5)
        await rig.collection().run()
        assert (pinned.new, pinned.blocks) == (True, len(dag))
        assert await rig.all_here(dag)


class TestGoingOn:
    async def test_cut_short_it_goes_on_where_it_was(self) -> None:
        rig, dead = Rig(), numbered(2000)
        await rig.put(*dead)
        with trio.CancelScope() as scope:

            def told(progress: CollectionProgress) -> None:
                if progress.freed_blocks >= 600:
                    scope.cancel()

            await rig.collection(told, blocks=64).run()
        assert scope.cancelled_caught
        # What is saved may lag behind: a slice looked at twice does no harm.
        left = (await rig.store.stats()).blocks
        assert 0 < left <= 1400
        await rig.progress.save(CollectionProgress("sweeping", False, 5.0, freed_blocks=2000 - left))
        ended = await rig.collection().run()
        assert (ended.resumed, ended.started_at, ended.freed_blocks) == (True, 5.0, 2000)
        assert (await rig.store.stats()).blocks == 0
        assert await rig.progress.under_way() is None
        assert await rig.progress.last() == ended

    async def test_the_position_is_kept_while_it_sweeps(self, autojump_clock: MockClock) -> None:
        rig, dead = Rig(), numbered(2000)
        await rig.put(*dead)
        saved: list[CollectionProgress] = []
        save = rig.progress.save

        async def note(progress: CollectionProgress) -> None:
            saved.append(progress)
            await trio.sleep(3)
            await save(progress)

        rig.progress.save = note  # type: ignore[method-assign]
        await rig.collection(blocks=64).run()
        positions = [progress.position for progress in saved if progress.phase == "sweeping"]
        assert len(positions) > 3
        assert positions == sorted(positions)

    async def test_blocks_behind_the_position_alone_are_looked_at(self) -> None:
        rig, dead = Rig(), sorted(numbered(100), key=lambda block: block.cid.multihash)
        await rig.put(*dead)
        await rig.progress.save(CollectionProgress("sweeping", False, 5.0, position=dead[59].cid.multihash))
        await rig.collection().run()
        assert await rig.here(dead) == [True] * 60 + [False] * 40

    async def test_one_begun_by_level_may_end_at_the_low_mark(
        self, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
    ) -> None:
        rig, dead = Rig(), numbered(4000)
        await rig.put(*dead)
        delete = rig.store.delete_many

        async def slow_delete(cids: object) -> int:
            await trio.sleep(2)
            return await delete(cids)  # type: ignore[arg-type]

        monkeypatch.setattr(rig.store, "delete_many", slow_delete)
        whole = (await rig.store.stats()).size_bytes
        ended = await rig.collection(enough=Levels(whole, whole // 2), blocks=64).run()
        assert ended.phase == "done"
        assert whole // 4 < (await rig.store.stats()).size_bytes <= whole // 2


class SlowBlockstore(MemoryBlockstore):
    """Everything takes a while, each time another one, so that all orders of events come up."""

    def __init__(self) -> None:
        super().__init__()
        self._rng = random.Random(7)

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        await self._pause()
        return await super().has_many(cids)

    async def put_many(self, blocks: Iterable[Block]) -> int:
        await self._pause()
        new = await super().put_many(blocks)
        await self._pause()
        return new

    async def delete_many(self, cids: Iterable[CID]) -> int:
        await self._pause()
        return await super().delete_many(cids)

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[CID]:
        page = await super().page(after, limit)
        await self._pause()
        return page

    async def _pause(self) -> None:
        await trio.sleep(self._rng.uniform(0, 0.004))


async def test_adds_removals_pins_and_collections_at_once_lose_nothing(autojump_clock: MockClock) -> None:
    """Files made of the same few chunks, and DAGs over them, come and go while one collection follows another."""
    rig = Rig(SlowBlockstore())
    chunks = numbered(12, "chunk")
    over = False

    async def churn(lane: int) -> None:
        for turn in range(25):
            mine = [leaf(f"lane {lane}"), *(chunks[(lane + turn + step) % 12] for step in range(4))]
            cids = [block.cid for block in mine]
            async with rig.uses.using(cids):
                held = await rig.here(mine)
                await trio.sleep(0.01 * ((lane * turn) % 3))
                await rig.put(*(block for block, here in zip(mine, held, strict=True) if not here))
                record = await rig.hold_file(*mine, name=f"{lane}")
            await trio.sleep(0.01)
            assert await rig.all_here(mine)
            async with rig.uses.removing():
                await rig.catalogue.remove(record.root, [])

    async def pin_and_unpin(lane: int) -> None:
        for turn in range(25):
            below = [chunks[(turn * lane + step) % 12] for step in range(3)]
            dag = [node(*below, text=f"{lane} {turn}"), *below]
            rig.source.others_hold(*dag)
            pinned = await rig.pinner.add(dag[0].cid, timeout_s=1)
            await trio.sleep(0.015)
            assert await rig.all_here(dag)
            await rig.pins.remove([pinned.pin])

    async def collect() -> None:
        while not over:
            await rig.collection(blocks=2).run()

    async with trio.open_nursery() as outer:
        outer.start_soon(collect)
        async with trio.open_nursery() as nursery:
            for lane in range(4):
                nursery.start_soon(churn, lane)
                nursery.start_soon(pin_and_unpin, lane)
        over = True
    await rig.collection().run()
    assert (await rig.store.stats()).blocks == 0
