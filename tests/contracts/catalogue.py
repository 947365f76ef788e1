"""What every `Catalogue` promises; a subclass gives the `catalogue` and `blockstore` fixtures, of one store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.errors import StoreError
from chiral.interface.blockstore import Blockstore
from chiral.interface.catalogue import Catalogue, FileRecord
from tests.contracts.catalogue_search import CatalogueSearchContract
from tests.contracts.catalogued import directory_of, file_of


class CatalogueContract(CatalogueSearchContract):
    async def test_what_was_put_is_got(self, catalogue: Catalogue) -> None:
        record, manifest, _ = file_of("ähm \U0001f600.txt", b"one", b"two")
        await catalogue.put(record, manifest)
        assert await catalogue.get(record.root) == record
        assert await catalogue.manifest(record.root) == manifest
        assert await catalogue.count() == 1

    async def test_a_missing_file_is_none(self, catalogue: Catalogue) -> None:
        missing = CID.of(b"missing")
        assert await catalogue.get(missing) is None
        assert await catalogue.manifest(missing) is None
        assert await catalogue.remove(missing, []) is False
        assert await catalogue.count() == 0

    async def test_manifests_of_many_files_are_got_at_once(self, catalogue: Catalogue) -> None:
        one, one_manifest, _ = file_of("one", b"one")
        two, two_manifest, _ = file_of("two", b"two")
        await catalogue.put_many([(one, one_manifest), (two, two_manifest)])
        wanted = [two.root, CID.of(b"missing"), one.root]
        assert await catalogue.manifests(wanted) == [two_manifest, None, one_manifest]
        assert await catalogue.manifests([]) == []

    async def test_put_replaces(self, catalogue: Catalogue) -> None:
        record, manifest, blocks = file_of("name", b"one", b"two")
        await catalogue.put(record, manifest)
        renamed = replace(record, name="other", dag_root=CID.of(b"dag", DAG_PB))
        await catalogue.put(renamed, manifest)
        assert await catalogue.get(record.root) == renamed
        assert await catalogue.count() == 1
        assert await catalogue.chunk_users(record.root, [block.cid for block in blocks]) == [False, False]

    async def test_many_are_put_as_each_would_be(self, catalogue: Catalogue) -> None:
        one, one_manifest, one_blocks = file_of("one", b"shared", b"only one")
        two, two_manifest, _ = file_of("two", b"shared")
        renamed = replace(one, name="other")
        await catalogue.put_many([(one, one_manifest), (two, two_manifest), (renamed, one_manifest)])
        assert await catalogue.get(one.root) == renamed
        assert await catalogue.manifest(two.root) == two_manifest
        assert await catalogue.count() == 2
        assert await catalogue.chunk_users(one.root, [block.cid for block in one_blocks]) == [True, False]

    async def test_of_many_all_are_put_or_none(self, catalogue: Catalogue) -> None:
        good, manifest, _ = file_of("good", b"one")
        bad, _, _ = file_of("bad", b"two")
        with pytest.raises(StoreError):
            await catalogue.put_many([(good, manifest), (bad, b"not a FileInfo")])
        assert await catalogue.count() == 0

    async def test_an_empty_file_has_no_chunks(self, catalogue: Catalogue) -> None:
        record, manifest, _ = file_of("empty")
        await catalogue.put(record, manifest)
        assert await catalogue.get(record.root) == record
        assert await catalogue.remove(record.root, []) is True

    async def test_pages_give_every_file_once_in_root_order(self, catalogue: Catalogue) -> None:
        files = [file_of(f"file {number}", b"%d" % number) for number in range(7)]
        for record, manifest, _ in files:
            await catalogue.put(record, manifest)
        seen: list[FileRecord] = []
        while page := await catalogue.page(seen[-1].root.multihash if seen else b"", 3):
            assert len(page) <= 3
            seen += page
        assert seen == sorted((record for record, _, _ in files), key=lambda record: record.root.multihash)

    async def test_shared_chunks_have_other_users(self, catalogue: Catalogue) -> None:
        one, one_manifest, one_blocks = file_of("one", b"shared", b"only one", b"shared")
        two, two_manifest, two_blocks = file_of("two", b"shared", b"only two")
        await catalogue.put(one, one_manifest)
        await catalogue.put(two, two_manifest)
        assert await catalogue.chunk_users(one.root, [b.cid for b in one_blocks]) == [True, False, True]
        assert await catalogue.chunk_users(two.root, [b.cid for b in two_blocks]) == [True, False]
        assert await catalogue.chunk_users(CID.of(b"third"), [b.cid for b in two_blocks]) == [True, True]
        await catalogue.remove(two.root, [])
        assert await catalogue.chunk_users(one.root, [b.cid for b in one_blocks]) == [False, False, False]

    async def test_remove_takes_the_blocks_along(self, catalogue: Catalogue, blockstore: Blockstore) -> None:
        record, manifest, blocks = file_of("file", b"one", b"two")
        stays = Block.of(b"not of the file")
        await blockstore.put_many([*blocks, stays])
        await catalogue.put(record, manifest)
        assert await catalogue.remove(record.root, [block.cid for block in blocks]) is True
        assert await catalogue.get(record.root) is None
        assert await catalogue.manifest(record.root) is None
        assert await blockstore.page() == [stays.cid]
        assert (await blockstore.stats()).size_bytes == len(stays)

    async def test_remove_leaves_blocks_of_other_files(self, catalogue: Catalogue, blockstore: Blockstore) -> None:
        one, one_manifest, one_blocks = file_of("one", b"shared", b"only one")
        two, two_manifest, two_blocks = file_of("two", b"shared", b"only two")
        for record, manifest, blocks in ((one, one_manifest, one_blocks), (two, two_manifest, two_blocks)):
            await blockstore.put_many(blocks)
            await catalogue.put(record, manifest)
        assert await catalogue.remove(one.root, [block.cid for block in one_blocks]) is True
        assert await blockstore.has_many([block.cid for block in two_blocks]) == [True, True]
        assert await blockstore.has_many([one_blocks[1].cid]) == [False]

    async def test_removing_what_is_not_there_deletes_nothing(
        self, catalogue: Catalogue, blockstore: Blockstore
    ) -> None:
        block = Block.of(b"stays")
        await blockstore.put_many([block])
        assert await catalogue.remove(CID.of(b"missing"), [block.cid]) is False
        assert await blockstore.get(block.cid) == b"stays"

    async def test_a_file_can_be_added_again(self, catalogue: Catalogue) -> None:
        record, manifest, blocks = file_of("file", b"one")
        await catalogue.put(record, manifest)
        await catalogue.remove(record.root, [])
        await catalogue.put(record, manifest)
        assert await catalogue.get(record.root) == record
        assert await catalogue.chunk_users(CID.of(b"other"), [blocks[0].cid]) == [True]

    async def test_a_manifest_that_is_none_is_refused(self, catalogue: Catalogue) -> None:
        record, _, _ = file_of("file", b"one")
        with pytest.raises(StoreError, match="FileInfo"):
            await catalogue.put(record, b'{"chunks":[]}')
        assert await catalogue.get(record.root) is None

    async def test_a_file_of_many_chunks(self, catalogue: Catalogue, blockstore: Blockstore) -> None:
        record, manifest, blocks = file_of("large", *(b"%d" % number for number in range(2500)))
        await blockstore.put_many(blocks)
        await catalogue.put(record, manifest)
        assert await catalogue.manifest(record.root) == manifest
        assert all(await catalogue.chunk_users(CID.of(b"other"), [block.cid for block in blocks]))
        assert await catalogue.remove(record.root, [block.cid for block in blocks]) is True
        assert (await blockstore.stats()).blocks == 0

    async def test_all_of_a_record_is_got(self, catalogue: Catalogue) -> None:
        record, manifest, _ = file_of("photo.png", b"one")
        full = replace(
            record,
            dag_root=CID.of(b"dag", DAG_PB),
            mime="image/png",
            tags=("holiday", "s\u00fc\u00df"),
            expires_at=1_800_000_000,
            other_names=("copy.png",),
        )
        await catalogue.put(full, manifest)
        assert await catalogue.get(record.root) == full

    async def test_what_has_no_chiral_root_has_no_manifest(self, catalogue: Catalogue) -> None:
        folder = directory_of("folder")
        await catalogue.put(folder, None)
        assert await catalogue.get(folder.root) == folder
        assert await catalogue.manifest(folder.root) is None
        assert folder.chiral_root is None
        assert await catalogue.remove(folder.root, []) is True

    async def test_many_are_got_at_once(self, catalogue: Catalogue) -> None:
        one, manifest, _ = file_of("one", b"one")
        await catalogue.put(one, manifest)
        assert await catalogue.get_many([CID.of(b"missing"), one.root]) == [None, one]
