from __future__ import annotations

import json

import pytest

from chiral.block.block import Block
from chiral.errors import ConfigError, StoreError
from chiral.interface.blockstore import BlockstoreStats
from chiral.store import s3_opening
from chiral.store.s3_opening import STATE_TABLE, open_bucket, open_s3_blocks
from chiral.store.s3_settings import S3Settings
from tests.contracts.blockstore import numbered
from tests.fakes.bucket import MemoryBucket, failing
from tests.fakes.memory_store import MemoryDatastore

SETTINGS = S3Settings(bucket="blocks", prefix="mine")
MARKER = "mine/chiral-store"


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def state() -> MemoryDatastore:
    return MemoryDatastore()


async def test_the_bucket_says_whose_it_is(bucket: MemoryBucket, state: MemoryDatastore) -> None:
    async with open_bucket(bucket, SETTINGS, state) as blocks:
        await blocks.put_many([Block.of(b"one")])
    marker = json.loads(bucket.objects[MARKER][0])
    assert marker == {"layout": 1, "owner": marker["owner"]}
    async with open_bucket(bucket, SETTINGS, state) as blocks:
        assert len(await blocks.page()) == 1
    with pytest.raises(StoreError, match="another data directory") as caught:
        async with open_bucket(bucket, SETTINGS, MemoryDatastore()):
            pass
    assert "take_over" in caught.value.hint


async def test_another_prefix_is_another_store(bucket: MemoryBucket, state: MemoryDatastore) -> None:
    async with open_bucket(bucket, SETTINGS, state) as blocks:
        await blocks.put_many([Block.of(b"one")])
    async with open_bucket(bucket, S3Settings(bucket="blocks", prefix=""), MemoryDatastore()) as blocks:
        assert await blocks.page() == []
        assert await blocks.stats() == BlockstoreStats(0, 0)


async def test_taking_over(bucket: MemoryBucket, state: MemoryDatastore) -> None:
    async with open_bucket(bucket, SETTINGS, state) as blocks:
        await blocks.put_many([Block.of(b"one")])
    heir = MemoryDatastore()
    async with open_bucket(bucket, SETTINGS.model_copy(update={"take_over": True}), heir) as blocks:
        assert await blocks.stats() == BlockstoreStats(1, 3)
    async with open_bucket(bucket, SETTINGS, heir):
        pass
    with pytest.raises(StoreError, match="another data directory"):
        async with open_bucket(bucket, SETTINGS, state):
            pass


async def test_the_first_of_two_new_nodes_has_the_prefix(bucket: MemoryBucket, state: MemoryDatastore) -> None:
    def come_first(verb: str, key: str) -> None:
        if verb == "put":
            bucket.objects.setdefault(key, (json.dumps({"layout": 1, "owner": "somebody"}).encode(), None))

    bucket.fault = come_first
    with pytest.raises(StoreError, match="another data directory"):
        async with open_bucket(bucket, SETTINGS, state):
            pass


@pytest.mark.parametrize(
    ("marker", "said"),
    [(b'{"layout": 2, "owner": "x"}', "newer"), (b"<html>", "cannot be read"), (b"[]", "cannot be read")],
)
async def test_a_marker_of_a_newer_layout_or_of_something_else(
    bucket: MemoryBucket, state: MemoryDatastore, marker: bytes, said: str
) -> None:
    bucket.put(MARKER, marker)
    with pytest.raises(StoreError, match=said):
        async with open_bucket(bucket, SETTINGS, state):
            pass
    assert bucket.objects[MARKER][0] == marker


async def test_a_clean_end_keeps_the_count(bucket: MemoryBucket, state: MemoryDatastore) -> None:
    async with open_bucket(bucket, SETTINGS, state) as blocks:
        await blocks.put_many(numbered(30))
        assert await blocks.stats() == BlockstoreStats(30, 3000)
    bucket.asked.clear()
    async with open_bucket(bucket, SETTINGS, state) as blocks:
        await blocks.put_many([Block.of(b"one more")])
        assert await blocks.stats() == BlockstoreStats(31, 3008)
    assert bucket.asked["list"] == 0


async def test_a_kill_makes_the_next_start_count(bucket: MemoryBucket, state: MemoryDatastore) -> None:
    async with open_bucket(bucket, SETTINGS, state) as blocks:
        await blocks.put_many(numbered(30))
        await blocks.stats()
    async with open_bucket(bucket, SETTINGS, state) as blocks:
        assert await state.get(STATE_TABLE, b"count") is None  # whoever is killed here leaves no count behind
        bucket.fault = failing("put")
        with pytest.raises(StoreError):
            await blocks.put_many([Block.of(b"one more")])
        bucket.fault = lambda verb, key: None
    assert await state.get(STATE_TABLE, b"count") is None  # nor does one with a write of unknown outcome
    async with open_bucket(bucket, SETTINGS, state) as blocks:
        assert await blocks.stats() == BlockstoreStats(30, 3000)
    assert bucket.asked["list"] > 0


@pytest.mark.parametrize(("conditional", "asked"), [(True, {"put": 3}), (False, {"head": 3, "put": 3})])
async def test_whether_the_store_knows_of_conditions_is_tried(
    bucket: MemoryBucket, state: MemoryDatastore, conditional: bool, asked: dict[str, int]
) -> None:
    bucket.conditional = conditional
    for blocks in (numbered(6)[:3], numbered(6)[3:]):
        async with open_bucket(bucket, SETTINGS, state) as store:
            bucket.asked.clear()
            await store.put_many(blocks)
            assert bucket.asked == asked
            bucket.asked.clear()
    async with open_bucket(bucket, SETTINGS, state) as store:
        assert (await store.stats()).blocks == 6


@pytest.mark.parametrize("kept", [b"{", b"{}", b'{"place": "elsewhere/", "blocks": 9, "size_bytes": 9}'])
async def test_a_count_that_says_nothing_is_made_anew(
    bucket: MemoryBucket, state: MemoryDatastore, kept: bytes
) -> None:
    await state.put_many(STATE_TABLE, {b"count": kept})
    async with open_bucket(bucket, SETTINGS, state) as blocks:
        assert await blocks.stats() == BlockstoreStats(0, 0)


async def test_without_the_client_the_way_to_it_is_told(
    state: MemoryDatastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "chiral.store.s3_bucket", None)
    with pytest.raises(ConfigError, match="botocore") as caught:
        async with open_s3_blocks(SETTINGS, state):
            pass
    assert "chiral[s3]" in caught.value.hint
    assert s3_opening.LAYOUT_VERSION == 1
