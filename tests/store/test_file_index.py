"""How the catalogue in LMDB finds files: rows, pages of them, stores of before, damaged records, slices."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID
from chiral.interface.catalogue import FileQuery, FileRecord
from chiral.store import file_index, file_search, row_page
from chiral.store.environment import STORE_DIRECTORY
from chiral.store.file_record import decode_record, encode_record
from chiral.store.row_page import Row, RowPage, wanted_keys
from chiral.store.row_table import change_rows, wanted_rows
from chiral.store.search_row import RowFilter, added_at_of, pack_row, root_of, row_key
from chiral.store.store import Store, open_store
from tests.contracts.catalogued import directory_of, file_of
from tests.store.version_1 import write_version_1

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction, WriteTransaction

OLD_RECORD = b'{"root":"%b","name":"old.txt","size":3,"chunks":1,"created_at":5,"added_at":6,"dag_root":null}'
EVERYTHING = RowFilter(FileQuery())


def row(number: int, text: bytes = b"", size: int = 0) -> Row:
    return row_key(number, b"root %d" % number), size, b"\x02file\x02text/plain\x01\x00" + text


def test_a_record_of_before_is_read() -> None:
    root = CID.of(b"root")
    assert decode_record(OLD_RECORD % root.buffer.hex().encode()) == FileRecord(root, "old.txt", 3, 1, 5, 6)


@pytest.mark.parametrize("record", [file_of("file", b"one")[0], directory_of("folder")])
def test_records_are_read_as_they_were_written(record: FileRecord) -> None:
    assert decode_record(encode_record(record)) == record


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1), st.binary(max_size=40))
def test_keys_stand_in_the_order_of_time_backwards(one: int, other: int, root: bytes) -> None:
    key = row_key(one, root)
    assert (added_at_of(key), root_of(key)) == (one, root)
    if one > other:
        assert key < row_key(other, b"")


@given(st.text(max_size=60))
def test_a_row_is_wanted_for_every_word_of_its_name(name: str) -> None:
    made = pack_row(replace(file_of("file", b"one")[0], name=name))
    for word in [*name.split(), name.upper() if name.isascii() else name]:
        assert RowFilter(FileQuery(word)).wants(made)


def test_the_marks_of_a_row_are_no_name() -> None:
    made = pack_row(replace(file_of("file", b"one")[0], mime="image/png", tags=("png",)))
    assert RowFilter(FileQuery(mime="image/png", tags=("png",), kind="file")).wants(made)
    for query in (FileQuery("png"), FileQuery(tags=("image/png",)), FileQuery(mime="file"), FileQuery(mime="png")):
        assert not RowFilter(query).wants(made)


@given(st.lists(st.tuples(st.integers(0, 50), st.binary(max_size=20), st.integers(0, (1 << 64) - 1)), max_size=40))
def test_a_page_is_read_as_it_was_written(changes: list[tuple[int, bytes, int]]) -> None:
    page, known = RowPage([]), {}
    for number, text, size in changes:
        made = row(number, text, size)
        page.put(made)
        known[made[0]] = made
        if number % 5 == 0:
            page.drop(made[0])
            page.drop(b"not there")
            del known[made[0]]
    assert page.rows == [known[key] for key in sorted(known)]
    if page.rows:
        assert RowPage.decode(page.encode()).rows == page.rows
        assert wanted_keys(page.encode(), EVERYTHING, b"") == sorted(known)
        assert wanted_keys(page.encode(), EVERYTHING, page.last_key) == [page.last_key]


@pytest.mark.parametrize("count", [0, 1, row_page.MAX_ROWS, row_page.MAX_ROWS + 1, 5 * row_page.MAX_ROWS + 3])
@pytest.mark.parametrize("grows_first", [True, False])
def test_a_page_is_split(count: int, grows_first: bool) -> None:
    page = RowPage([row(number) for number in range(count, 0, -1)])
    parts = page.split(grows_first=grows_first)
    assert [made for part in parts for made in part.rows] == page.rows
    sizes = [len(part.rows) for part in parts]
    assert all(0 < size <= row_page.MAX_ROWS for size in sizes)
    if grows_first:
        assert all(size == row_page.MAX_ROWS for size in sizes[1:])
    elif sizes:
        assert len(sizes) == -(-count // row_page.MAX_ROWS)
        assert max(sizes) - min(sizes) < row_page.MAX_ROWS // 2


def test_a_word_at_the_seam_of_two_rows_is_in_neither() -> None:
    page = RowPage([row(2, b"lef"), row(1, b"t left")])
    assert wanted_keys(page.encode(), RowFilter(FileQuery("left")), b"") == [row(1)[0]]
    marks = RowFilter(FileQuery(kind="file", larger=0))
    assert wanted_keys(page.encode(), marks, b"") == [row(2)[0], row(1)[0]]


@pytest.mark.parametrize("seed", range(5))
async def test_many_changes_leave_the_table_sound(store: Store, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(row_page, "MAX_ROWS", 4)
    rng = random.Random(seed)
    tables = store.environment.tables
    known: dict[bytes, Row] = {}
    for _ in range(60):
        doomed = rng.sample(sorted(known), min(len(known), rng.randrange(6)))
        numbers = rng.sample(range(200), rng.randrange(9)) if rng.random() < 0.7 else range(300, 300 + rng.randrange(9))
        fresh = [row(number, b"%d" % rng.randrange(9), rng.randrange(99)) for number in numbers]
        for key in doomed:
            del known[key]
        known.update((made[0], made) for made in fresh)

        def apply(txn: WriteTransaction, drop: list[bytes] = doomed, put: list[Row] = fresh) -> None:
            change_rows(txn, tables, drop, put)

        await store.environment.write(apply)

        def look(txn: ReadTransaction) -> tuple[list[Row], list[bytes]]:
            with txn.cursor(db=tables.file_rows) as cursor:
                pages = [(key, RowPage.decode(page)) for key, page in cursor]
            assert all(key == page.last_key and len(page.rows) <= 4 for key, page in pages)
            found: list[bytes] = []
            start: bytes | None = b""
            while start is not None:
                keys, start = wanted_rows(txn, tables, EVERYTHING, start, most_pages=2, limit=3)
                assert len(keys) <= 3
                found += keys
            return [made for _, page in pages for made in page.rows], found

        rows, keys = await store.environment.read(look)
        assert rows == [known[key] for key in sorted(known)]
        assert keys == sorted(known)


@pytest.mark.parametrize("at_once", [2, 512])
async def test_files_of_an_older_store_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(file_index, "_INDEXED_AT_ONCE", at_once)
    write_version_1(tmp_path, {})
    roots = [CID.of(b"%d" % number) for number in range(5)]
    with lmdb.open(str(tmp_path / STORE_DIRECTORY), max_dbs=32) as older:
        files = older.open_db(b"files")
        with older.begin(write=True, db=files) as txn:
            for root in roots:
                txn.put(root.multihash, OLD_RECORD % root.buffer.hex().encode())
            txn.put(CID.of(b"damaged").multihash, b"{}")
    async with open_store(tmp_path) as store:
        assert {record.root for record in await store.catalogue.search(FileQuery("OLD"))} == set(roots)


async def test_what_a_damaged_record_left_behind_is_passed_over(store: Store) -> None:
    record, manifest, _ = file_of("file", b"one")
    await store.catalogue.put(record, manifest)

    def damage(txn: WriteTransaction) -> None:
        txn.put(record.root.multihash, b"{}", db=store.environment.tables.files)

    await store.environment.write(damage)
    assert await store.catalogue.search(FileQuery()) == []
    renewed = replace(record, added_at=record.added_at + 5)
    await store.catalogue.put(renewed, manifest)
    assert await store.catalogue.search(FileQuery()) == [renewed]


@pytest.mark.parametrize("pages", [1, 3])
async def test_a_search_goes_through_slices(store: Store, monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    monkeypatch.setattr(file_search, "_SLICE_PAGES", pages)
    monkeypatch.setattr(row_page, "MAX_ROWS", 3)
    entries = [file_of(f"{'odd' if number % 2 else 'even'} {number}", b"%d" % number)[:2] for number in range(20)]
    await store.catalogue.put_many([(replace(r, added_at=n), m) for n, (r, m) in enumerate(entries)])
    assert [record.added_at for record in await store.catalogue.search(FileQuery("odd"))] == list(range(19, 0, -2))
    assert len(await store.catalogue.search(FileQuery("odd"), limit=4)) == 4
    recent = await store.catalogue.search(FileQuery("odd", since=11, before=18))
    assert [record.added_at for record in recent] == [17, 15, 13, 11]
