"""What every `Blockstore` promises; a subclass gives the `blockstore` fixture."""

from __future__ import annotations

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB, RAW
from chiral.interface.blockstore import Blockstore, BlockstoreStats


def numbered(count: int, size: int = 100) -> list[Block]:
    """`count` different blocks of `size` bytes (at least 4)."""
    return [Block.of(number.to_bytes(4, "big") * (size // 4)) for number in range(count)]


class BlockstoreContract:
    async def test_what_was_put_is_got(self, blockstore: Blockstore) -> None:
        block = Block.of(b"hello world")
        assert await blockstore.put_many([block]) == 1
        assert await blockstore.get(block.cid) == b"hello world"
        assert await blockstore.size(block.cid) == 11
        assert await blockstore.sizes([CID.of(b"missing"), block.cid]) == [None, 11]

    async def test_a_missing_block_is_none(self, blockstore: Blockstore) -> None:
        missing = CID.of(b"nobody put this")
        assert await blockstore.get(missing) is None
        assert await blockstore.size(missing) is None
        assert await blockstore.get_many([missing]) == [None]
        assert await blockstore.has_many([missing]) == [False]

    async def test_many_come_in_the_order_asked(self, blockstore: Blockstore) -> None:
        blocks = numbered(20)
        await blockstore.put_many(blocks)
        asked = [*reversed(blocks), Block.of(b"missing"), blocks[3], blocks[3]]
        held = [bytes(block.data) if block in blocks else None for block in asked]
        assert await blockstore.get_many([block.cid for block in asked]) == held
        assert await blockstore.has_many([block.cid for block in asked]) == [data is not None for data in held]

    async def test_nothing_asked_is_nothing_told(self, blockstore: Blockstore) -> None:
        assert await blockstore.get_many([]) == []
        assert await blockstore.has_many([]) == []
        assert await blockstore.put_many([]) == 0
        assert await blockstore.delete_many([]) == 0

    async def test_only_new_blocks_count(self, blockstore: Blockstore) -> None:
        blocks = numbered(5)
        assert await blockstore.put_many(blocks[:3]) == 3
        assert await blockstore.put_many(blocks) == 2
        assert await blockstore.put_many([blocks[0], blocks[0], Block.of(b"new"), Block.of(b"new")]) == 1
        assert await blockstore.stats() == BlockstoreStats(6, 503)

    @pytest.mark.parametrize("size", [0, 1, 4096, 262_144, 2 << 20])
    async def test_any_size(self, blockstore: Blockstore, size: int) -> None:
        block = Block.of(bytes(index * 31 % 251 for index in range(size)))
        await blockstore.put_many([block])
        assert await blockstore.get(block.cid) == block.data
        assert await blockstore.size(block.cid) == size
        assert await blockstore.stats() == BlockstoreStats(1, size)

    @pytest.mark.parametrize("kind", [bytearray, memoryview])
    async def test_any_buffer(self, blockstore: Blockstore, kind: type) -> None:
        block = Block.of(kind(b"some bytes"))
        await blockstore.put_many([block])
        got = await blockstore.get(block.cid)
        assert got == b"some bytes"
        assert type(got) is bytes

    async def test_one_block_serves_every_cid_of_its_bytes(self, blockstore: Blockstore) -> None:
        raw = CID.of(b"node")
        pb = CID.of(b"node", DAG_PB)
        v0 = CID(0, DAG_PB, pb.multihash)
        await blockstore.put_many([Block(pb, b"node")])
        assert await blockstore.get_many([raw, pb, v0]) == [b"node"] * 3
        assert await blockstore.put_many([Block(raw, b"node")]) == 0

    async def test_deleted_blocks_are_gone(self, blockstore: Blockstore) -> None:
        blocks = numbered(10)
        await blockstore.put_many(blocks)
        doomed = [block.cid for block in blocks[:4]]
        assert await blockstore.delete_many([*doomed, doomed[0], CID.of(b"missing")]) == 4
        assert await blockstore.delete_many(doomed) == 0
        assert await blockstore.has_many([block.cid for block in blocks]) == [False] * 4 + [True] * 6
        assert await blockstore.get(doomed[0]) is None
        assert await blockstore.stats() == BlockstoreStats(6, 600)

    async def test_a_deleted_block_can_be_put_again(self, blockstore: Blockstore) -> None:
        block = Block.of(b"again")
        await blockstore.put_many([block])
        await blockstore.delete_many([block.cid])
        assert await blockstore.put_many([block]) == 1
        assert await blockstore.get(block.cid) == b"again"

    async def test_pages_give_every_block_once_in_multihash_order(self, blockstore: Blockstore) -> None:
        blocks = numbered(25)
        await blockstore.put_many(blocks)
        seen: list[CID] = []
        while page := await blockstore.page(seen[-1].multihash if seen else b"", 10):
            assert len(page) <= 10
            seen += page
        assert seen == sorted((block.cid for block in blocks), key=lambda cid: cid.multihash)

    async def test_pages_go_on_after_a_multihash_that_is_gone(self, blockstore: Blockstore) -> None:
        blocks = sorted(numbered(5), key=lambda block: block.cid.multihash)
        await blockstore.put_many(blocks)
        await blockstore.delete_many([blocks[1].cid])
        assert await blockstore.page(blocks[1].cid.multihash, 2) == [blocks[2].cid, blocks[3].cid]

    async def test_pages_remember_the_codec(self, blockstore: Blockstore) -> None:
        await blockstore.put_many([Block.of(b"a leaf"), Block.of(b"a node", DAG_PB)])
        assert {cid.codec for cid in await blockstore.page()} == {RAW, DAG_PB}
        await blockstore.delete_many([CID.of(b"a node")])
        await blockstore.put_many([Block.of(b"a node")])
        assert {cid.codec for cid in await blockstore.page()} == {RAW}

    async def test_an_empty_store(self, blockstore: Blockstore) -> None:
        assert await blockstore.page() == []
        assert await blockstore.stats() == BlockstoreStats(0, 0)
