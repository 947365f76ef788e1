"""Reading a file by its CID: what is here, what is fetched, what is claimed and what is so."""

from __future__ import annotations

import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_CBOR
from chiral.dag.file_info import FileInfo
from chiral.errors import ChiralError, IntegrityError, InvalidCidError, NotFoundError, StoreFullError
from tests.fakes.exchange import lacking, lying, stalling
from tests.files.rig import Content, Rig, read_all

TIMEOUT_S = 10.0


async def read(rig: Rig, cid: CID) -> bytes:
    async with rig.opener.open(cid, timeout_s=TIMEOUT_S) as reader:
        return await read_all(reader)


@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 300_000])
async def test_a_file_from_elsewhere_is_here_afterwards(size: int) -> None:
    content = Content(size, name="name.txt")
    peer = content.at(1)
    rig = Rig(peer).publish(content, peer)
    async with rig.opener.open(content.root, timeout_s=TIMEOUT_S) as reader:
        assert (reader.root, reader.name, reader.size) == (content.root, "name.txt", size)
        assert await read_all(reader) == content.data
        assert reader.providers == (1 if size else 0)
    record = await rig.catalogue.get(content.root)
    assert record is not None
    assert (record.name, record.size, record.chunks) == ("name.txt", size, len(content.blocks))
    assert await rig.catalogue.manifest(content.root) == content.manifest
    assert rig.announcer.told == [("fetched", content.root)]
    peer.conduct = lacking
    assert await read(rig, content.root) == content.data


async def test_a_file_that_is_here_asks_nobody() -> None:
    content = Content(100_000)
    rig = await Rig().hold(content)
    assert await read(rig, content.root) == content.data
    assert rig.scripted.routing.lookups == []
    assert rig.announcer.told == []


async def test_a_single_block() -> None:
    content, block = Content(10), Block.of(b"a single block")
    peer = content.at(1).hold([block])
    rig = Rig(peer)
    rig.scripted.routing.knows(block.cid, peer)
    for providers in (1, 0):
        async with rig.opener.open(block.cid, timeout_s=TIMEOUT_S) as reader:
            assert (reader.name, reader.size) == (str(block.cid), 14)
            assert await read_all(reader) == block.data
            assert reader.providers == providers
    assert await rig.catalogue.count() == 0


async def test_blocks_that_are_here_are_not_fetched() -> None:
    content = Content(100_000)
    peer = content.at(1)
    rig = Rig(peer).publish(content, peer)
    await rig.blocks.put_many([*content.blocks[:20], *content.blocks[50:60]])
    assert await read(rig, content.root) == content.data
    assert len(peer.asked) == 1 + len(content.blocks) - 30


async def test_a_file_of_blocks_that_are_all_here_needs_its_info_alone() -> None:
    content = Content(100_000)
    peer = content.at(1)
    rig = Rig(peer).publish(content, peer)
    await rig.blocks.put_many(content.blocks)
    assert await read(rig, content.root) == content.data
    assert peer.asked == [content.root]
    assert await rig.catalogue.count() == 1


async def test_equal_blocks_are_fetched_once() -> None:
    block, other = Block.of(bytes(1024)), Block.of(b"other")
    order = [*[block] * 40, other, *[block] * 40, other]
    info = FileInfo.of("zeros", 80 * 1024 + 10, [made.cid for made in order], 1)
    peer = Content(1).at(1).hold(order).hold_manifest(info.root_cid, info.to_json())
    rig = Rig(peer)
    rig.scripted.routing.knows(info.root_cid, peer)
    assert await read(rig, info.root_cid) == b"".join(bytes(made.data) for made in order)
    assert len(peer.asked) == 3


async def test_a_file_with_blocks_gone_from_here_is_made_whole_again() -> None:
    content = Content(50_000)
    peer = content.at(1)
    rig = await Rig(peer).publish(content, peer).hold(content)
    await rig.blocks.delete_many([block.cid for block in content.blocks[5:9]])
    assert await read(rig, content.root) == content.data
    assert len(peer.asked) == 4
    assert await rig.held(content) == len(content.blocks)


async def test_iterating_gives_the_blocks() -> None:
    content = Content(5000)
    rig = await Rig().hold(content)
    async with rig.opener.open(content.root, timeout_s=TIMEOUT_S) as reader:
        assert b"".join([piece async for piece in reader]) == content.data


class TestClaims:
    @pytest.mark.parametrize("claimed", [0, 1, 99_999, 100_001, 2**40, 2**64 - 1])
    async def test_a_size_that_is_not_so_is_an_error_and_no_file(self, claimed: int) -> None:
        content = Content(100_000, claimed_size=claimed)
        peer = content.at(1)
        rig = Rig(peer).publish(content, peer)
        with pytest.raises(IntegrityError, match=f"claims {claimed} bytes"):
            await read(rig, content.root)
        assert await rig.catalogue.count() == 0
        assert rig.announcer.told == []

    async def test_a_size_claimed_of_no_blocks(self) -> None:
        content = Content(0, claimed_size=1)
        peer = content.at(1)
        with pytest.raises(IntegrityError):
            await read(Rig(peer).publish(content, peer), content.root)

    async def test_a_block_that_rotted_does_not_pass_into_a_file(self) -> None:
        content = Content(50_000)
        rig = await Rig().hold(content)
        await rig.blocks.delete_many([content.blocks[7].cid])
        await rig.blocks.put_many([Block(content.blocks[7].cid, bytes(1024))])
        with pytest.raises(IntegrityError, match="is damaged in the local store"):
            await read(rig, content.root)

    async def test_blocks_that_vanish_while_they_are_read(self) -> None:
        content = Content(50_000)
        rig = await Rig().hold(content)
        async with rig.opener.open(content.root, timeout_s=TIMEOUT_S) as reader:
            await reader.next_batch()
            await rig.blocks.delete_many([block.cid for block in content.blocks])
            with pytest.raises(IntegrityError, match="is gone from the local store"):
                await reader.next_batch()

    async def test_a_provider_that_lies_about_blocks(self) -> None:
        content = Content(50_000)
        liar = content.at(1).after(1, lying)
        rig = Rig(liar).publish(content, liar)
        with pytest.raises(IntegrityError, match="other bytes"):
            await read(rig, content.root)
        assert await rig.held(content) == await rig.catalogue.count() == 0

    async def test_another_provider_takes_over(self) -> None:
        content = Content(50_000)
        liar, good = content.at(1).after(1, lying), content.at(2, latency_s=0.1)
        rig = Rig(liar, good).publish(content, liar, good)
        assert await read(rig, content.root) == content.data


class TestNoFile:
    async def test_a_node_of_a_dag_is_no_file(self) -> None:
        with pytest.raises(InvalidCidError, match="names a dag-cbor node, not a file"):
            await read(Rig(), CID.of(b"node", DAG_CBOR))

    async def test_a_cid_of_unknown_codec(self) -> None:
        with pytest.raises(InvalidCidError):
            await read(Rig(), CID(1, 0x9999, b"\x12\x20" + bytes(32)))


class TestLeaving:
    async def test_a_reader_that_reads_nothing_is_let_go(self) -> None:
        """Nothing waits for it: the fetch could never end, for nobody makes room."""
        content = Content(500_000)
        peer = content.at(1)
        rig = Rig(peer).publish(content, peer)
        with trio.fail_after(5):
            async with rig.opener.open(content.root, timeout_s=TIMEOUT_S) as reader:
                assert reader.size == 500_000
        assert await rig.catalogue.count() == 0
        assert peer.in_flight == 0

    async def test_leaving_in_the_middle_leaves_no_file(self) -> None:
        content = Content(500_000)
        peer = content.at(1)
        rig = Rig(peer).publish(content, peer)
        async with rig.opener.open(content.root, timeout_s=TIMEOUT_S) as reader:
            async for _ in reader:
                break
        assert await rig.catalogue.count() == 0

    async def test_what_the_block_raises_comes_out_bare(self) -> None:
        content = Content(500_000)
        peer = content.at(1)
        rig = Rig(peer).publish(content, peer)
        with pytest.raises(ZeroDivisionError):
            async with rig.opener.open(content.root, timeout_s=TIMEOUT_S):
                raise ZeroDivisionError

    async def test_cancelled_it_leaves_no_request_behind(self) -> None:
        content = Content(500_000)
        peer = content.at(1).after(20, stalling)
        rig = Rig(peer).publish(content, peer)
        with trio.move_on_after(0.2) as scope:
            await read(rig, content.root)
        assert scope.cancelled_caught
        assert peer.in_flight == 0
        assert await rig.catalogue.count() == 0

    async def test_a_fault_of_the_fetch_ends_a_reader_that_is_busy(self) -> None:
        content = Content(500_000)
        peer = content.at(1).after(50, lacking)
        rig = Rig(peer).publish(content, peer)
        with pytest.raises(NotFoundError), trio.fail_after(5):
            async with rig.opener.open(content.root, timeout_s=TIMEOUT_S):
                await trio.sleep_forever()

    async def test_a_catalogue_that_is_full_fails_the_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        content = Content(5000)
        peer = content.at(1)
        rig = Rig(peer).publish(content, peer)

        async def refuse(*_: object) -> None:
            raise StoreFullError("no space left")

        monkeypatch.setattr(rig.catalogue, "put", refuse)
        with pytest.raises(ChiralError) as raised:
            await read(rig, content.root)
        assert type(raised.value) is StoreFullError
        assert rig.announcer.told == []


async def test_a_removal_while_a_file_is_read_does_not_hurt_the_reader() -> None:
    content = Content(100_000)
    rig = await Rig().hold(content)
    async with rig.opener.open(content.root, timeout_s=TIMEOUT_S) as reader:
        first = await reader.next_batch()
        await rig.shelf.remove(content.root)
        assert first is not None
        assert b"".join(first) + await read_all(reader) == content.data
    assert await rig.held(content) == 0
