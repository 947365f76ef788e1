from __future__ import annotations

import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
import trio

from chiral.block.block import Block
from chiral.errors import FileAccessError, StoreError, StoreLockedError
from chiral.store.environment import STORE_DIRECTORY, Environment
from chiral.store.schema import SCHEMA_VERSION
from chiral.store.settings import StoreSettings
from chiral.store.store import open_store

QUICK = StoreSettings(durable=False)


def set_version(directory: Path, version: bytes | None) -> None:
    """Make the store in `directory` one of another layout."""
    with lmdb.open(str(directory / STORE_DIRECTORY), max_dbs=32) as handle:
        meta = handle.open_db(b"meta")
        with handle.begin(write=True, db=meta) as txn:
            if version is None:
                txn.delete(b"schema_version")
            else:
                txn.put(b"schema_version", version)


def test_files_are_for_the_user_alone(tmp_path: Path) -> None:
    Environment.open(tmp_path / "new", QUICK).close()
    store = tmp_path / "new" / STORE_DIRECTORY
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    assert stat.S_IMODE((store / "data.mdb").stat().st_mode) == 0o600


def test_the_map_is_reserved_but_not_filled(tmp_path: Path) -> None:
    environment = Environment.open(tmp_path)
    assert environment._lmdb.info()["map_size"] >= 1 << 40
    assert (tmp_path / STORE_DIRECTORY / "data.mdb").stat().st_size < 1 << 20
    environment.close()


def test_a_second_node_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    environment = Environment.open(tmp_path, QUICK)
    with pytest.raises(StoreLockedError, match=str(tmp_path)):
        Environment.open(tmp_path, QUICK)
    environment.close()
    Environment.open(tmp_path, QUICK).close()


def test_a_newer_layout_is_refused_untouched(tmp_path: Path) -> None:
    Environment.open(tmp_path, QUICK).close()
    set_version(tmp_path, b"%d" % (SCHEMA_VERSION + 1))
    before = (tmp_path / STORE_DIRECTORY / "data.mdb").read_bytes()
    with pytest.raises(StoreError, match=f"layout {SCHEMA_VERSION + 1}, newer") as caught:
        Environment.open(tmp_path, QUICK)
    assert "newer" in caught.value.hint
    assert (tmp_path / STORE_DIRECTORY / "data.mdb").read_bytes() == before
    set_version(tmp_path, b"%d" % SCHEMA_VERSION)
    Environment.open(tmp_path, QUICK).close()  # the failed open let go of the lock


@pytest.mark.parametrize("version", [None, b"", b"0", b"-1", b"one"])
def test_a_foreign_environment_is_refused(tmp_path: Path, version: bytes | None) -> None:
    Environment.open(tmp_path, QUICK).close()
    set_version(tmp_path, version)
    with pytest.raises(StoreError, match="not a Chiral store"):
        Environment.open(tmp_path, QUICK)


def test_an_lmdb_environment_of_others_is_refused(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / STORE_DIRECTORY), max_dbs=2) as handle:
        handle.open_db(b"theirs")
    with pytest.raises(StoreError):
        Environment.open(tmp_path, QUICK)


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    (tmp_path / STORE_DIRECTORY).mkdir()
    (tmp_path / STORE_DIRECTORY / "data.mdb").write_bytes(b"not a store" * 1000)
    with pytest.raises(StoreError, match="readable store"):
        Environment.open(tmp_path, QUICK)


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / STORE_DIRECTORY).write_text("in the way")
    with pytest.raises(FileAccessError, match=STORE_DIRECTORY):
        Environment.open(tmp_path, QUICK)


def test_a_map_over_the_address_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise lmdb.MemoryError("mdb_env_open", 12)

    monkeypatch.setattr(lmdb, "Environment", refuse)
    with pytest.raises(StoreError, match="address space") as caught:
        Environment.open(tmp_path, QUICK)
    assert "map_size_bytes" in caught.value.hint


async def test_after_closing_nothing_goes(tmp_path: Path) -> None:
    async with open_store(tmp_path, QUICK) as store:
        pass
    with pytest.raises(StoreError, match="closed"):
        await store.blocks.page()
    with pytest.raises(StoreError, match="closed"):
        await store.blocks.put_many([Block.of(b"late")])


async def test_closing_waits_for_a_read_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Environment.open(tmp_path, QUICK)
    reading, go_on = threading.Event(), threading.Event()

    def slow(_: object) -> str:
        reading.set()
        go_on.wait(10)
        return "whole"

    results: list[str] = []

    async def read() -> None:
        results.append(await environment.read(slow))

    async def close() -> None:
        await trio.to_thread.run_sync(environment.close)
        results.append("closed")

    wait_for = environment._reads.wait_for

    def let_the_read_end_and_wait(done: Callable[[], bool]) -> bool:
        go_on.set()
        return wait_for(done)

    monkeypatch.setattr(environment._reads, "wait_for", let_the_read_end_and_wait)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.to_thread.run_sync(reading.wait, 10)
        nursery.start_soon(close)
    assert results == ["whole", "closed"]
    environment.close()  # once more does nothing


async def test_closing_finishes_what_is_queued(tmp_path: Path) -> None:
    blocks = [Block.of(b"%d" % number) for number in range(50)]
    async with trio.open_nursery() as nursery, open_store(tmp_path, QUICK) as store:
        for block in blocks:
            nursery.start_soon(store.blocks.put_many, [block])
        await trio.testing.wait_all_tasks_blocked()
    async with open_store(tmp_path, QUICK) as store:
        assert (await store.blocks.stats()).blocks == 50


async def test_a_read_sees_one_state(tmp_path: Path) -> None:
    async with open_store(tmp_path, QUICK) as store:
        environment = store.environment
        looking, written = threading.Event(), threading.Event()

        def look(txn: lmdb.Transaction) -> tuple[int, int]:
            before = txn.stat(environment.tables.blocks)["entries"]
            looking.set()
            written.wait(10)
            return before, txn.stat(environment.tables.blocks)["entries"]

        seen: list[tuple[int, int]] = []

        async def read() -> None:
            seen.append(await environment.read(look))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.to_thread.run_sync(looking.wait, 10)
            await store.blocks.put_many([Block.of(b"meanwhile")])
            written.set()
        assert seen == [(0, 0)]


def test_a_moved_data_directory_opens(tmp_path: Path) -> None:
    Environment.open(tmp_path / "here", QUICK).close()
    shutil.move(tmp_path / "here", tmp_path / "there")
    Environment.open(tmp_path / "there", QUICK).close()


async def test_a_directory_taken_away_is_an_error_of_the_store(tmp_path: Path) -> None:
    async with open_store(tmp_path / "here", QUICK) as store:
        await store.blocks.put_many([Block.of(b"before")])
        shutil.move(tmp_path / "here", tmp_path / "there")
        with pytest.raises(StoreError, match="out of reach"):
            await store.blocks.put_many([Block.of(b"after")])
        assert await store.blocks.get(Block.of(b"before").cid) == b"before"
        shutil.move(tmp_path / "there", tmp_path / "here")
        assert await store.blocks.put_many([Block.of(b"after")]) == 1
