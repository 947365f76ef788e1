"""A file in the catalogue has all of its blocks, whatever is removed while others are added or read."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.clock import TrioClock
from chiral.dag.file_info import FileInfo
from chiral.errors import IntegrityError, NotFoundError, PinnedError, StoreError
from chiral.files.shelf import Shelf
from chiral.interface.catalogue import FileRecord
from chiral.interface.pins import Pin, PinKind
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue
from tests.fakes.pins import MemoryPins
from tests.files.rig import Content, Rig
from tests.pinning.dags import leaf, node, tree


def file_of(*contents: bytes) -> Content:
    """A file of the blocks given."""
    made = Content(0)
    made.blocks = [Block.of(content) for content in contents]
    made.info = FileInfo.of("f", sum(map(len, contents)), [block.cid for block in made.blocks], 1)
    made.root, made.manifest = made.info.root_cid, made.info.to_json()
    return made


async def test_removal_keeps_blocks_shared_with_another_file() -> None:
    one, two = file_of(b"a", b"shared"), file_of(b"shared", b"b")
    rig = await (await Rig().hold(one)).hold(two)
    record, own = await rig.shelf.remove(one.root)
    assert (record.root, own) == (one.root, [one.blocks[0].cid])
    assert await rig.held(one) == 1
    assert await rig.held(two) == 2
    await rig.shelf.remove(two.root)
    assert (await rig.blocks.stats()).blocks == 0


async def test_a_block_a_file_has_twice_goes_with_it() -> None:
    zeros = file_of(b"0", b"0", b"0")
    rig = await Rig().hold(zeros)
    assert (await rig.shelf.remove(zeros.root))[1] == [zeros.blocks[0].cid]
    assert await rig.held(zeros) == 0


async def test_what_is_not_held_cannot_be_removed() -> None:
    with pytest.raises(NotFoundError):
        await Rig().shelf.remove(CID.of(b"nothing"))


async def test_a_manifest_that_rotted_is_a_fault_of_this_node(monkeypatch: pytest.MonkeyPatch) -> None:
    content = Content(5000)
    rig = await Rig().hold(content)

    async def rotten(root: CID) -> bytes:
        return b"{"

    monkeypatch.setattr(rig.catalogue, "manifest", rotten)
    with pytest.raises(IntegrityError, match="damaged in the local store"):
        await rig.shelf.info(content.root)


async def test_only_the_first_of_equal_blocks_is_missing() -> None:
    content = file_of(b"0", b"1", b"0", b"2", b"1", b"0")
    rig = Rig()
    await rig.blocks.put_many([content.blocks[1]])
    assert await rig.shelf.missing(content.info.chunk_cids) == [0, 3]


class TestUse:
    async def test_a_removal_spares_blocks_in_use_until_they_are_not(self) -> None:
        old, new = file_of(b"a", b"shared"), file_of(b"shared")
        rig = await Rig().hold(old)
        async with rig.shelf.using([new.blocks[0].cid]):
            await rig.shelf.remove(old.root)
            assert await rig.held(old) == 1
        assert await rig.held(old) == 0

    async def test_blocks_that_entered_the_catalogue_meanwhile_stay(self) -> None:
        old, new = file_of(b"a", b"shared"), file_of(b"shared")
        rig = await Rig().hold(old)
        async with rig.shelf.using(new.info.chunk_cids):
            await rig.shelf.remove(old.root)
            await rig.shelf.enter(new.info, new.manifest)
        assert await rig.held(new) == 1
        await rig.shelf.remove(new.root)
        assert (await rig.blocks.stats()).blocks == 0

    async def test_the_last_of_several_uses_counts(self) -> None:
        old = file_of(b"a")
        rig = await Rig().hold(old)
        cids = old.info.chunk_cids
        async with rig.shelf.using(list(cids)):
            async with rig.shelf.using(list(cids)):
                await rig.shelf.remove(old.root)
            assert await rig.held(old) == 1
        assert await rig.held(old) == 0

    async def test_what_is_appended_to_a_use_is_used(self) -> None:
        old = file_of(b"a", b"b")
        rig = await Rig().hold(old)
        adding: list[CID] = []
        async with rig.shelf.using(adding):
            adding.append(old.blocks[1].cid)
            await rig.shelf.settled()
            await rig.shelf.remove(old.root)
            assert await rig.blocks.has_many(old.info.chunk_cids) == [False, True]

    async def test_a_use_waits_for_a_removal_that_does_not_know_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        old = file_of(b"a")
        rig = await Rig().hold(old)
        removing, go_on = trio.Event(), trio.Event()
        remove = rig.catalogue.remove

        async def slow_remove(root: CID, blocks: list[CID]) -> bool:
            removing.set()
            await go_on.wait()
            return await remove(root, blocks)

        monkeypatch.setattr(rig.catalogue, "remove", slow_remove)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rig.shelf.remove, old.root)
            await removing.wait()
            used = trio.Event()

            async def use() -> None:
                async with rig.shelf.using(old.info.chunk_cids):
                    used.set()
                    assert await rig.shelf.missing(old.info.chunk_cids) == [0]

            nursery.start_soon(use)
            await wait_all_tasks_blocked()
            assert not used.is_set(), "a block about to go was taken for one that stays"
            go_on.set()
        assert used.is_set()

    async def test_a_removal_once_begun_is_not_left_half_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        old = file_of(b"a", b"b")
        rig = await Rig().hold(old)
        remove = rig.catalogue.remove
        with trio.CancelScope() as scope:

            async def cancelled_remove(root: CID, blocks: list[CID]) -> bool:
                scope.cancel()
                await trio.lowlevel.checkpoint()
                return await remove(root, blocks)

            monkeypatch.setattr(rig.catalogue, "remove", cancelled_remove)
            await rig.shelf.remove(old.root)
        assert (await rig.blocks.stats()).blocks == await rig.catalogue.count() == 0

    async def test_a_store_that_fails_at_the_end_of_a_use_does_not_hurt_the_user(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = file_of(b"a")
        rig = await Rig().hold(old)

        async def refuse(_: object) -> int:
            raise StoreError("failed")

        monkeypatch.setattr(rig.blocks, "delete_many", refuse)
        async with rig.shelf.using(old.info.chunk_cids):
            await rig.shelf.remove(old.root)
        assert await rig.held(old) == 1


async def test_adds_and_removals_of_the_same_blocks_at_once_leave_whole_files() -> None:
    """Files made of the same few blocks are added and removed by turns; at the end each that is held is whole."""
    files = [file_of(*(b"%d" % ((start + step) % 7) for step in range(4))) for start in range(7)]
    rig = Rig()

    async def churn(content: Content) -> None:
        for _ in range(30):
            cids: list[CID] = []
            async with rig.shelf.using(cids):
                for block in content.blocks:
                    cids.append(block.cid)
                    await rig.shelf.settled()
                    await rig.blocks.put_many([block])
                await rig.shelf.enter(content.info, content.manifest)
            assert await rig.held(content) == 4
            if content is not files[0]:
                await rig.shelf.remove(content.root)

    async with trio.open_nursery() as nursery:
        for content in files:
            nursery.start_soon(churn, content)
    assert await rig.catalogue.count() == 1
    assert await rig.held(files[0]) == (await rig.blocks.stats()).blocks == 4


class TestPins:
    async def test_what_is_pinned_is_not_removed(self) -> None:
        pins = MemoryPins()
        rig, content = Rig(shelf=shelf_with(pins)), file_of(b"a", b"b")
        await rig.hold(content)
        await pins.put(Pin(content.root, PinKind.RECURSIVE, "mine"))
        with pytest.raises(PinnedError, match="'mine'"):
            await rig.shelf.remove(content.root)
        assert await rig.held(content) == 2
        await pins.remove(await pins.of(content.root))
        await rig.shelf.remove(content.root)
        assert await rig.held(content) == 0

    async def test_a_pinned_dag_root_keeps_its_file(self) -> None:
        pins = MemoryPins()
        rig, content, dag = Rig(shelf=shelf_with(pins)), file_of(b"a"), tree("dag")
        await rig.blocks.put_many(content.blocks)
        await rig.shelf.enter(content.info, content.manifest, dag_root=dag[0].cid)
        await pins.put(Pin(dag[0].cid, PinKind.DIRECT))
        with pytest.raises(PinnedError):
            await rig.shelf.remove(content.root)

    async def test_a_pinned_chunk_stays(self) -> None:
        pins = MemoryPins()
        rig, content = Rig(shelf=shelf_with(pins)), file_of(b"a", b"b")
        await rig.hold(content)
        await pins.put(Pin(content.blocks[0].cid, PinKind.DIRECT))
        await rig.shelf.remove(content.root)
        assert await rig.blocks.has_many(content.info.chunk_cids) == [True, False]

    async def test_where_a_dag_is_pinned_a_removal_leaves_blocks_to_a_collection(self) -> None:
        """The DAG may be made of them."""
        pins = MemoryPins()
        rig, content = Rig(shelf=shelf_with(pins)), file_of(b"a", b"b")
        await rig.hold(content)
        await pins.put(Pin(tree("pinned")[0].cid, PinKind.RECURSIVE))
        assert (await rig.shelf.remove(content.root))[1] == list(content.info.chunk_cids)
        assert await rig.held(content) == 2

    async def test_so_it_does_while_one_is_being_completed_or_a_directory_is_kept(self) -> None:
        rig, content, other = Rig(), file_of(b"a"), file_of(b"b")
        await (await rig.hold(content)).hold(other)
        with rig.shelf.uses.completing(tree("on its way")[0].cid):
            await rig.shelf.remove(content.root)
        root = tree("directory")[0].cid
        await rig.catalogue.put(FileRecord(root, "d", 0, 0, 1, 1, dag_root=root, kind="directory"), None)
        await rig.shelf.remove(other.root)
        assert await rig.held(content) == await rig.held(other) == 1


class TestNodes:
    async def test_nodes_of_the_file_alone_go_with_it(self) -> None:
        """Two files that begin alike share a node; a third node is over both."""
        a, b, c = (leaf(text) for text in "abc")
        shared, rest = node(a, b), node(c)
        root = node(shared, rest)
        rig, one, two = Rig(), file_of(b"a", b"b", b"c"), file_of(b"a", b"b")
        await rig.blocks.put_many([a, b, c, shared, rest, root])
        await rig.shelf.enter(one.info, one.manifest, dag_root=root.cid)
        await rig.shelf.enter(two.info, two.manifest, dag_root=shared.cid)
        await rig.shelf.remove(one.root)
        held = await rig.blocks.has_many([block.cid for block in (a, b, c, shared, rest, root)])
        assert held == [True, True, False, True, False, False]
        await rig.shelf.remove(two.root)
        assert (await rig.blocks.stats()).blocks == 0

    async def test_nodes_over_blocks_in_use_stay(self) -> None:
        a, b = leaf("a"), leaf("b")
        root = node(a, b)
        rig, one = Rig(), file_of(b"a", b"b")
        await rig.blocks.put_many([a, b, root])
        await rig.shelf.enter(one.info, one.manifest, dag_root=root.cid)
        async with rig.shelf.using([a.cid, b.cid]):
            await rig.shelf.remove(one.root)
            assert await rig.blocks.has_many([root.cid]) == [True]

    async def test_a_damaged_node_does_not_hinder_a_removal(self) -> None:
        rig, one = Rig(), file_of(b"a")
        damaged = Block(node(leaf("a")).cid, b"\x99")
        await rig.blocks.put_many([leaf("a"), damaged])
        await rig.shelf.enter(one.info, one.manifest, dag_root=damaged.cid)
        await rig.shelf.remove(one.root)
        assert await rig.held(one) == 0


def shelf_with(pins: MemoryPins) -> Shelf:
    blocks = MemoryBlockstore()
    return Shelf(blocks, MemoryCatalogue(blocks), TrioClock(), pins=pins)
