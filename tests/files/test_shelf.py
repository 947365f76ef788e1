"""A file in the catalogue has all of its blocks, whatever is removed while others are added or read."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.errors import IntegrityError, NotFoundError, StoreError
from tests.files.rig import Content, Rig


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
