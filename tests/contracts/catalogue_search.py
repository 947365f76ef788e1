"""What every `Catalogue` promises of finding files other than by their root, and of changing what it says of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chiral.block.cid import CID, DAG_PB
from chiral.errors import UsageError
from chiral.interface.catalogue import Catalogue, FileQuery, FileRecord
from tests.contracts.catalogued import directory_of, file_of


def library() -> list[tuple[FileRecord, bytes | None]]:
    """Files whose names begin with a, b, c and so on, added in this order."""
    entries: list[tuple[FileRecord, bytes | None]] = []
    for number, (name, size, mime, tags, other_names) in enumerate(_FILES):
        record, manifest, _ = file_of(name, name.encode())
        known = replace(record, size=size, mime=mime, tags=tags, other_names=other_names, added_at=100 * number)
        entries.append((known, manifest))
    return [*entries, (replace(directory_of("f Folder of photos"), added_at=100 * len(_FILES)), None)]


_FILES: list[tuple[str, int, str, tuple[str, ...], tuple[str, ...]]] = [
    ("a Holiday Photo.PNG", 10, "image/png", ("2026", "red"), ()),
    ("b holiday photo.jpg", 2000, "image/jpeg", ("red",), ()),
    ("c notes.txt", 300, "text/plain", ("redder",), ("image notes.md",)),
    ("d \u00c4rger.pdf", 40, "application/pdf", (), ()),
    ("e", 0, "", (), ("Stra\u00dfe",)),
]
SEARCHES = [
    (FileQuery(), "fedcba"),
    (FileQuery("PHOTO"), "fba"),
    (FileQuery("photo holiday"), "ba"),
    (FileQuery("notes.md"), "c"),
    (FileQuery("\u00e4RGER"), "d"),
    (FileQuery("STRASSE"), "e"),
    (FileQuery("nowhere"), ""),
    (FileQuery(mime="image/*"), "ba"),
    (FileQuery(mime="image"), "ba"),
    (FileQuery(mime="image/png"), "a"),
    (FileQuery(mime="image/pn"), ""),
    (FileQuery(tags=("red",)), "ba"),
    (FileQuery(tags=("red", "2026")), "a"),
    (FileQuery(tags=("20",)), ""),
    (FileQuery(kind="directory"), "f"),
    (FileQuery("photo", kind="file"), "ba"),
    (FileQuery(larger=40), "dcb"),
    (FileQuery(smaller=40), "feda"),
    (FileQuery(larger=40, smaller=300), "dc"),
    (FileQuery(since=300), "fed"),
    (FileQuery(before=300), "cba"),
    (FileQuery(since=100, before=300), "cb"),
    (FileQuery(since=100, before=100), ""),
    (FileQuery(before=0), ""),
    (FileQuery("o", "image/*", ("red",), "file", 1000, 3000, 100, 200), "b"),
]


class CatalogueSearchContract:
    async def test_by_dag_root(self, catalogue: Catalogue) -> None:
        record, manifest, _ = file_of("file", b"one")
        dag_root = CID.of(b"dag", DAG_PB)
        await catalogue.put(replace(record, dag_root=dag_root), manifest)
        found = await catalogue.by_dag_root(dag_root)
        assert found is not None
        assert found.root == record.root
        assert await catalogue.by_dag_root(record.root) is None

    async def test_a_new_dag_root_takes_the_place_of_the_old(self, catalogue: Catalogue) -> None:
        record, manifest, _ = file_of("file", b"one")
        old, new = CID.of(b"old", DAG_PB), CID.of(b"new", DAG_PB)
        await catalogue.put(replace(record, dag_root=old), manifest)
        await catalogue.put(replace(record, dag_root=new), manifest)
        assert await catalogue.by_dag_root(old) is None
        assert await catalogue.by_dag_root(new) == replace(record, dag_root=new)

    async def test_of_one_dag_root_the_file_with_a_chiral_root_is_found(self, catalogue: Catalogue) -> None:
        record, manifest, _ = file_of("file", b"one")
        dag_root = CID.of(b"dag", DAG_PB)
        imported = FileRecord(dag_root, "imported", 3, 1, 1, 1, dag_root=dag_root)
        file = replace(record, dag_root=dag_root)
        await catalogue.put(imported, None)
        assert await catalogue.by_dag_root(dag_root) == imported
        await catalogue.put(file, manifest)
        assert await catalogue.by_dag_root(dag_root) == file
        await catalogue.remove(file.root, [])
        assert await catalogue.by_dag_root(dag_root) == imported

    async def test_amend_changes_a_record_and_what_it_is_found_by(self, catalogue: Catalogue) -> None:
        record, manifest, _ = file_of("file", b"one")
        await catalogue.put(record, manifest)
        changed = await catalogue.amend(record.root, lambda held: replace(held, tags=("new",), expires_at=5))
        assert changed == replace(record, tags=("new",), expires_at=5)
        assert await catalogue.get(record.root) == changed
        assert await catalogue.manifest(record.root) == manifest
        assert await catalogue.search(FileQuery(tags=("new",))) == [changed]
        assert await catalogue.expired(5) == [record.root]

    async def test_amending_what_is_not_there_is_none(self, catalogue: Catalogue) -> None:
        assert await catalogue.amend(CID.of(b"missing"), lambda held: held) is None

    async def test_an_amendment_that_fails_changes_nothing(self, catalogue: Catalogue) -> None:
        record, manifest, _ = file_of("file", b"one")
        await catalogue.put(record, manifest)

        def refuse(held: FileRecord) -> FileRecord:
            raise UsageError("no")

        with pytest.raises(UsageError, match="no"):
            await catalogue.amend(record.root, refuse)
        assert await catalogue.get(record.root) == record
        assert await catalogue.search(FileQuery("file")) == [record]

    async def test_expired_are_told_the_longest_expired_first(self, catalogue: Catalogue) -> None:
        files = []
        for number, expires_at in enumerate((30, 10, None, 20)):
            record, manifest, _ = file_of(f"file {number}", b"%d" % number)
            files.append(replace(record, expires_at=expires_at))
            await catalogue.put(files[-1], manifest)
        assert await catalogue.expired(9) == []
        assert await catalogue.expired(20) == [files[1].root, files[3].root]
        assert await catalogue.expired(100, limit=2) == [files[1].root, files[3].root]
        await catalogue.put(replace(files[1], expires_at=None), file_of("file 1", b"1")[1])
        await catalogue.remove(files[3].root, [])
        assert await catalogue.expired(100) == [files[0].root]

    @pytest.mark.parametrize(("query", "found"), SEARCHES)
    async def test_search(self, catalogue: Catalogue, query: FileQuery, found: str) -> None:
        for record, manifest in library():
            await catalogue.put(record, manifest)
        assert [record.name[0] for record in await catalogue.search(query)] == list(found)

    async def test_a_search_goes_on_behind_the_last(self, catalogue: Catalogue) -> None:
        for number in range(10):
            record, manifest, _ = file_of(f"file {number}", b"%d" % number)
            await catalogue.put(replace(record, added_at=number // 4), manifest)
        seen: list[FileRecord] = []
        while page := await catalogue.search(FileQuery("file"), seen[-1].place if seen else None, 3):
            assert len(page) <= 3
            seen += page
        assert len(seen) == len({record.root for record in seen}) == 10
        assert [record.added_at for record in seen] == [2, 2, 1, 1, 1, 1, 0, 0, 0, 0]

    async def test_what_was_removed_or_renamed_is_not_found(self, catalogue: Catalogue) -> None:
        record, manifest, _ = file_of("before", b"one")
        await catalogue.put(record, manifest)
        await catalogue.put(replace(record, name="after", added_at=7), manifest)
        assert await catalogue.search(FileQuery("before")) == []
        assert [found.added_at for found in await catalogue.search(FileQuery())] == [7]
        await catalogue.remove(record.root, [])
        assert await catalogue.search(FileQuery()) == []
