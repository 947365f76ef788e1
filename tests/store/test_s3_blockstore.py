from __future__ import annotations

import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_CBOR, DAG_PB
from chiral.errors import IntegrityError, StoreError, StoreFullError
from chiral.interface.blockstore import BlockstoreStats
from chiral.store.s3_blockstore import S3Blockstore
from chiral.store.s3_keys import KeySpace
from chiral.store.s3_settings import S3Settings
from chiral.store.s3_tally import Tally
from tests.contracts.blockstore import BlockstoreContract, numbered
from tests.fakes.bucket import MemoryBucket, failing

KEYS = KeySpace("chiral/")


@pytest.fixture
def settings() -> S3Settings:
    return S3Settings(bucket="blocks", max_in_flight=4)


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def blockstore(bucket: MemoryBucket, settings: S3Settings) -> S3Blockstore:
    return S3Blockstore(bucket, settings)


class TestS3Blockstore(BlockstoreContract):
    pass


class TestS3BlockstoreWithConditions(BlockstoreContract):
    @pytest.fixture
    def blockstore(self, bucket: MemoryBucket, settings: S3Settings) -> S3Blockstore:
        return S3Blockstore(bucket, settings, Tally.of(0, 0), conditional=True)


def sorted_blocks(count: int) -> list[Block]:
    return sorted(numbered(count), key=lambda block: block.cid.multihash)


async def test_requests_of_each_operation(blockstore: S3Blockstore, bucket: MemoryBucket) -> None:
    async def cost(operation: object) -> dict[str, int]:
        bucket.asked.clear()
        await operation  # type: ignore[misc]
        return dict(bucket.asked)

    leaf, node = Block.of(b"a leaf"), Block.of(b"a node", DAG_PB)
    assert await cost(blockstore.put_many([leaf])) == {"head": 1, "put": 1}
    assert await cost(blockstore.put_many([leaf])) == {"head": 1}
    assert await cost(blockstore.put_many([node])) == {"head": 1, "put": 2}
    assert await cost(blockstore.get_many([leaf.cid, node.cid])) == {"get": 2}
    assert await cost(blockstore.has_many([leaf.cid, node.cid, leaf.cid])) == {"head": 2}
    assert await cost(blockstore.stats()) == {"list": 1}
    assert await cost(blockstore.stats()) == {}
    assert await cost(blockstore.page()) == {"list": 1}
    assert await cost(blockstore.delete_many([leaf.cid, node.cid])) == {"head": 2, "delete": 1}
    assert bucket.objects == {}


async def test_many_that_stand_close_are_listed(blockstore: S3Blockstore, bucket: MemoryBucket) -> None:
    blocks = sorted_blocks(2500)
    await blockstore.put_many(blocks)
    bucket.asked.clear()
    gone = [block.cid for block in blocks[::2]]
    assert await blockstore.delete_many(gone) == 1250
    assert bucket.asked["delete"] == 16 + 4
    assert bucket.asked["list"] + bucket.asked["head"] < 200
    assert await blockstore.has_many([block.cid for block in blocks]) == [False, True] * 1250
    assert await blockstore.stats() == BlockstoreStats(1250, 125_000)


async def test_at_most_so_many_requests_are_in_flight(bucket: MemoryBucket, settings: S3Settings) -> None:
    busy, most, door = [], [], threading.Lock()
    full = threading.Event()

    def arrive(verb: str, key: str) -> None:
        with door:
            busy.append(key)
            most.append(len(busy))
            if len(busy) == settings.max_in_flight:
                full.set()
        full.wait(10)

    def leave(verb: str, key: str) -> None:
        with door:
            busy.remove(key)

    store = S3Blockstore(bucket, settings)
    blocks = numbered(20)
    await store.put_many(blocks)
    bucket.fault, bucket.late = arrive, leave
    assert await store.get_many([block.cid for block in blocks]) == [block.data for block in blocks]
    assert max(most) == settings.max_in_flight


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
async def test_pages_with_marks_and_strangers_between(
    blockstore: S3Blockstore, bucket: MemoryBucket, limit: int
) -> None:
    codecs = [0x55, DAG_PB, DAG_CBOR]
    blocks = [Block.of(b"%d" % number, codecs[number % 3]) for number in range(40)]
    await blockstore.put_many(blocks)
    for number in range(60):  # marks whose block never came, and what is no block at all
        stray = CID.of(b"stray %d" % number).multihash
        bucket.put(KEYS.mark_of(stray, DAG_PB), b"")
        bucket.put(KEYS.blocks + f"1220{number:02x}/notes.txt", b"not ours")
    seen: list[CID] = []
    while page := await blockstore.page(seen[-1].multihash if seen else b"", limit):
        assert len(page) <= limit
        seen += page
    assert seen == sorted((block.cid for block in blocks), key=lambda cid: cid.multihash)
    assert (await blockstore.stats()).blocks == 40


async def test_a_block_damaged_in_the_store_is_named(blockstore: S3Blockstore, bucket: MemoryBucket) -> None:
    block = Block.of(b"as it should be")
    await blockstore.put_many([block])
    bucket.objects[KEYS.of(block.cid.multihash)] = (b"as it must not be", None)
    with pytest.raises(IntegrityError, match=str(block.cid)):
        await blockstore.get(block.cid)


async def test_bytes_that_come_right_the_second_time_are_taken(blockstore: S3Blockstore, bucket: MemoryBucket) -> None:
    block = Block.of(b"as it should be")
    key = KEYS.of(block.cid.multihash)
    await blockstore.put_many([block])
    bucket.objects[key] = (b"damaged", None)

    def mend(verb: str, key: str) -> None:
        bucket.objects[key] = (b"as it should be", None)

    bucket.late = mend
    assert await blockstore.get(block.cid) == block.data


async def test_damage_passes_unverified_when_told_to(bucket: MemoryBucket) -> None:
    store = S3Blockstore(bucket, S3Settings(bucket="blocks", verify_on_read=False))
    block = Block.of(b"as it should be")
    await store.put_many([block])
    bucket.objects[KEYS.of(block.cid.multihash)] = (b"damaged", None)
    assert await store.get(block.cid) == b"damaged"


async def test_a_node_whose_block_failed_leaves_a_mark_that_means_nothing(
    blockstore: S3Blockstore, bucket: MemoryBucket
) -> None:
    node = Block.of(b"a node", DAG_PB)
    await blockstore.stats()
    bucket.fault = lambda verb, key: failing("put")(verb, key) if not key.endswith(".70") else None
    with pytest.raises(StoreError, match="500"):
        await blockstore.put_many([node])
    bucket.fault = lambda verb, key: None
    assert len(bucket.objects) == 1
    assert await blockstore.page() == []
    assert await blockstore.stats() == BlockstoreStats(0, 0)
    assert await blockstore.put_many([node]) == 1
    assert await blockstore.page() == [node.cid]


@pytest.mark.parametrize("verb", ["put", "delete"])
@pytest.mark.parametrize("when", ["fault", "late"])
async def test_the_count_is_right_after_writes_that_failed(
    blockstore: S3Blockstore, bucket: MemoryBucket, verb: str, when: str
) -> None:
    blocks = sorted_blocks(12)
    await blockstore.put_many(blocks[:6])
    await blockstore.stats()
    setattr(bucket, when, failing(verb))
    with pytest.raises(StoreError, match="500"):
        await (blockstore.put_many(blocks[6:]) if verb == "put" else blockstore.delete_many([b.cid for b in blocks]))
    assert not blockstore.tally.exact
    setattr(bucket, when, lambda verb, key: None)
    objects = bucket.objects.values()
    assert await blockstore.stats() == BlockstoreStats(len(objects), sum(len(data) for data, _ in objects))
    assert blockstore.tally.exact


async def test_the_count_is_right_while_blocks_come_and_go(blockstore: S3Blockstore, bucket: MemoryBucket) -> None:
    blocks = sorted_blocks(2300)
    await blockstore.put_many(blocks[::2])
    counted = S3Blockstore(bucket, S3Settings(bucket="blocks", max_in_flight=4))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(counted.stats)
        nursery.start_soon(counted.put_many, blocks[1::2])
        nursery.start_soon(counted.delete_many, [block.cid for block in blocks[:600:2]])
    assert await counted.stats() == BlockstoreStats(2000, 200_000)
    assert len(bucket.objects) == 2000


async def test_the_same_block_put_twice_at_once_counts_once(blockstore: S3Blockstore, bucket: MemoryBucket) -> None:
    block = Block.of(b"wanted by two")
    counts: list[int] = []

    async def put() -> None:
        counts.append(await blockstore.put_many([block]))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(put)
    assert sorted(counts) == [0, 0, 0, 0, 1]
    assert bucket.asked["put"] == 1
    assert len(blockstore._writes.locks) == 0


async def test_a_cancelled_write_waits_for_its_answer(blockstore: S3Blockstore, bucket: MemoryBucket) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def hold(verb: str, key: str) -> None:
        if verb == "put":
            arrived.set()
            assert go_on.wait(10)

    bucket.fault = hold
    block = Block.of(b"under way")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blockstore.put_many, [block])
        await trio.to_thread.run_sync(arrived.wait)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await wait_all_tasks_blocked(0.01)
            assert not bucket.objects
            go_on.set()
    assert len(bucket.objects) == 1
    assert await blockstore.stats() == BlockstoreStats(1, 9)


async def test_a_cancelled_read_does_not_wait(blockstore: S3Blockstore, bucket: MemoryBucket) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def hold(verb: str, key: str) -> None:
        arrived.set()
        go_on.wait(10)

    bucket.fault = hold
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blockstore.get, CID.of(b"slow"))
        await trio.to_thread.run_sync(arrived.wait)
        nursery.cancel_scope.cancel()
    assert not go_on.is_set()
    go_on.set()


async def test_the_quota_is_kept(bucket: MemoryBucket, settings: S3Settings) -> None:
    blocks = numbered(12)
    await S3Blockstore(bucket, settings).put_many(blocks[:8])
    store = S3Blockstore(bucket, settings, quota_bytes=1000)
    await store.put_many(blocks[:10])
    with pytest.raises(StoreFullError, match="quota of 1000 bytes"):
        await store.put_many(blocks[10:])
    await store.put_many(blocks[:10])
    assert (await store.stats()).quota_used == 1.0
    await store.delete_many([blocks[0].cid])
    await store.put_many([blocks[11]])


async def test_blocks_expected_to_be_new_are_put_without_a_look(bucket: MemoryBucket, settings: S3Settings) -> None:
    store = S3Blockstore(bucket, settings, Tally.of(0, 0), conditional=True)
    blocks = numbered(10)
    asked: list[dict[str, int]] = []
    for batch in (blocks[:4], blocks[:1], blocks[1:3], blocks[4:5], blocks[5:7]):
        bucket.asked.clear()
        await store.put_many(batch)
        asked.append(dict(bucket.asked))
    # New; known after all; looked for, then; one is missing; so the next are put at once again.
    assert asked == [{"put": 4}, {"put": 1}, {"head": 2}, {"head": 1, "put": 1}, {"put": 2}]
    assert await store.stats() == BlockstoreStats(7, 700)


@pytest.mark.parametrize("when", ["fault", "late"])
@pytest.mark.parametrize("held", [True, False])
async def test_the_count_is_right_after_blind_writes_that_failed(
    bucket: MemoryBucket, settings: S3Settings, when: str, held: bool
) -> None:
    blocks = numbered(4)
    store = S3Blockstore(bucket, settings, Tally.of(0, 0), conditional=True)
    await store.put_many(blocks[: 3 if held else 2])
    setattr(bucket, when, failing("put"))
    with pytest.raises(StoreError, match="500"):
        await store.put_many(blocks[2:3])
    setattr(bucket, when, lambda verb, key: None)
    assert (await store.stats()).blocks == len(bucket.objects)
    setattr(bucket, when, failing("put"))
    with pytest.raises(StoreError, match="500"):
        await store.put_many(blocks[3:])
    setattr(bucket, when, lambda verb, key: None)
    await store.put_many(blocks)
    await store.delete_many([blocks[3].cid])
    assert await store.stats() == BlockstoreStats(3, 300)


async def test_what_is_not_what_its_cid_names_is_refused_when_told_to(
    bucket: MemoryBucket, settings: S3Settings
) -> None:
    wrong = Block(CID.of(b"as it should be"), b"as it must not be")
    store = S3Blockstore(bucket, settings, verify_writes=True)
    with pytest.raises(IntegrityError, match=str(wrong.cid)):
        await store.put_many([Block.of(b"right"), wrong])
    assert not bucket.objects
