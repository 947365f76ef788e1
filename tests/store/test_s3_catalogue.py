"""A store with its blocks in an object store and the rest in LMDB, opened as by a node, over a bucket in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chiral.block.block import Block
from chiral.errors import StoreError
from chiral.interface.datastore import Datastore
from chiral.store import store as store_module
from chiral.store.s3_blockstore import S3Blockstore
from chiral.store.s3_opening import open_bucket
from chiral.store.s3_settings import S3Settings
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from tests.contracts.blockstore import BlockstoreContract
from tests.contracts.catalogue import CatalogueContract, file_of
from tests.fakes.bucket import MemoryBucket, failing

SETTINGS = StoreSettings(blocks="s3", s3=S3Settings(bucket="blocks"), durable=False)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> MemoryBucket:
    bucket = MemoryBucket()

    @asynccontextmanager
    async def open_blocks(
        settings: S3Settings, state: Datastore, *, quota_bytes: int, verify_writes: bool
    ) -> AsyncIterator[S3Blockstore]:
        async with open_bucket(bucket, settings, state, quota_bytes=quota_bytes, verify_writes=verify_writes) as blocks:
            yield blocks

    monkeypatch.setattr(store_module, "open_s3_blocks", open_blocks)
    return bucket


@pytest.fixture
async def store(tmp_path: Path, bucket: MemoryBucket) -> AsyncIterator[Store]:
    async with open_store(tmp_path, SETTINGS) as opened:
        yield opened


class TestBlocksOfTheSplitStore(BlockstoreContract):
    @pytest.fixture
    def blockstore(self, store: Store) -> object:
        return store.blocks


class TestSplitCatalogue(CatalogueContract):
    @pytest.fixture
    def catalogue(self, store: Store) -> object:
        return store.catalogue

    @pytest.fixture
    def blockstore(self, store: Store) -> object:
        return store.blocks


async def test_the_store_is_the_same_after_it_was_closed(tmp_path: Path, bucket: MemoryBucket) -> None:
    record, manifest, blocks = file_of("name", b"one", b"two")
    async with open_store(tmp_path, SETTINGS) as store:
        await store.blocks.put_many(blocks)
        await store.catalogue.put(record, manifest)
    async with open_store(tmp_path, SETTINGS) as store:
        assert await store.catalogue.get(record.root) == record
        assert await store.blocks.get_many([block.cid for block in blocks]) == [b"one", b"two"]
        assert (await store.blocks.stats()).blocks == 2
    async with open_store(tmp_path, StoreSettings(durable=False)) as local:
        assert await local.blocks.page() == []


async def test_a_file_is_gone_although_its_blocks_could_not_be_removed(store: Store, bucket: MemoryBucket) -> None:
    record, manifest, blocks = file_of("name", b"one", b"two")
    await store.blocks.put_many(blocks)
    await store.catalogue.put(record, manifest)
    bucket.fault = failing("delete")
    with pytest.raises(StoreError, match="500"):
        await store.catalogue.remove(record.root, [block.cid for block in blocks])
    assert await store.catalogue.get(record.root) is None
    bucket.fault = lambda verb, key: None
    assert await store.blocks.has_many([block.cid for block in blocks]) == [True, True]


async def test_what_was_read_once_is_not_asked_for_again(store: Store, bucket: MemoryBucket) -> None:
    block = Block.of(b"wanted often")
    await store.blocks.put_many([block])
    bucket.asked.clear()
    assert [await store.blocks.get(block.cid) for _ in range(3)] == [block.data] * 3
    assert bucket.asked["get"] == 1
    await store.blocks.delete_many([block.cid])
    assert await store.blocks.get(block.cid) is None


async def test_a_bucket_that_cannot_be_used_leaves_the_directory_free(tmp_path: Path, bucket: MemoryBucket) -> None:
    bucket.fault = failing("get")
    with pytest.raises(StoreError, match="500"):
        async with open_store(tmp_path, SETTINGS):
            pass
    async with open_store(tmp_path, StoreSettings(durable=False)):
        pass


async def test_blocks_that_stay_behind_are_told_of(
    tmp_path: Path, bucket: MemoryBucket, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(tmp_path, StoreSettings(durable=False)) as local:
        await local.blocks.put_many([Block.of(b"one"), Block.of(b"two")])
    async with open_store(tmp_path, SETTINGS) as store:
        assert await store.blocks.page() == []
    assert "2 blocks" in caplog.text
