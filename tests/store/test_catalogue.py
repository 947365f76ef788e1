from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from chiral.block.cid import CID
from chiral.errors import StoreError
from chiral.store.blockstore import LmdbBlockstore
from chiral.store.catalogue import LmdbCatalogue
from chiral.store.file_record import decode_record
from chiral.store.store import Store, open_store
from tests.contracts.catalogue import CatalogueContract, file_of


class TestLmdbCatalogue(CatalogueContract):
    @pytest.fixture
    def catalogue(self, store: Store) -> LmdbCatalogue:
        return store.catalogue

    @pytest.fixture
    def blockstore(self, store: Store) -> LmdbBlockstore:
        return store.blocks


async def test_files_survive_reopening(tmp_path: Path) -> None:
    record, manifest, blocks = file_of("file", b"one", b"two")
    async with open_store(tmp_path) as store:
        await store.blocks.put_many(blocks)
        await store.catalogue.put(record, manifest)
    async with open_store(tmp_path) as store:
        assert await store.catalogue.get(record.root) == record
        assert await store.catalogue.manifest(record.root) == manifest
        assert await store.catalogue.remove(record.root, [block.cid for block in blocks])
        assert (await store.blocks.stats()).blocks == 0


async def test_a_later_slice_of_a_removal_spares_a_file_added_again(store: Store) -> None:
    record, manifest, blocks = file_of("file", b"one", b"two")
    await store.blocks.put_many(blocks)
    await store.catalogue.put(record, manifest)
    later_slice = partial(store.catalogue._delete_unused, [block.cid.multihash for block in blocks])
    await store.catalogue._environment.write(later_slice)
    assert await store.blocks.has_many([block.cid for block in blocks]) == [True, True]


async def test_hot_reads_do_not_outlive_a_removal(store: Store) -> None:
    record, manifest, blocks = file_of("file", b"one")
    held = LmdbBlockstore(store.environment)
    await held.put_many(blocks)
    await store.catalogue.put(record, manifest)
    await store.catalogue.remove(record.root, [blocks[0].cid])
    assert held.get_now(blocks[0].cid) is None
    assert await held.get(blocks[0].cid) is None


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"root":"zz"}', b'{"root":"00","dag_root":null}', b"\xff"])
def test_a_record_that_is_none(data: bytes) -> None:
    with pytest.raises(StoreError):
        decode_record(data)


async def test_one_multihash_under_two_codecs_is_one_file(store: Store) -> None:
    record, manifest, _ = file_of("file", b"one")
    await store.catalogue.put(record, manifest)
    assert await store.catalogue.get(CID(1, 0x70, record.root.multihash)) == record
