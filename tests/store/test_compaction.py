"""Compaction gives the disk back, loses nothing whatever happens, and the store goes on through it."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.errors import StoreError, StoreFullError
from chiral.store import compaction, copying
from chiral.store.compaction import Compactor
from chiral.store.environment import STORE_DIRECTORY, Environment
from chiral.store.layout import COMPACTING_DIRECTORY
from chiral.store.room import DATA_FILE
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store
from tests.store.killing import run_and_kill

CHILD = Path(__file__).with_name("compaction_child.py")
QUICK = StoreSettings(durable=False)
SEED = 7_301


def noise(count: int, size: int = 50_000, seed: int = 1) -> list[Block]:
    rng = random.Random(seed)
    return [Block.of(rng.randbytes(size)) for _ in range(count)]


def file_size(data_directory: Path) -> int:
    return (data_directory / STORE_DIRECTORY / DATA_FILE).stat().st_size


async def test_what_was_deleted_is_given_back_and_the_rest_is_there(tmp_path: Path) -> None:
    blocks = noise(100)
    async with open_store(tmp_path, QUICK) as store:
        await store.blocks.put_many(blocks)
        await store.state.put_many("t", {b"k": b"v"})
        await store.blocks.delete_many([block.cid for block in blocks[10:]])
        done = await Compactor(store.environment).compact()
        assert done.before_bytes > 5_000_000
        assert done.after_bytes == file_size(tmp_path) < 1_000_000
        assert await store.blocks.get_many([block.cid for block in blocks[:10]]) == [b.data for b in blocks[:10]]
        assert await store.state.get("t", b"k") == b"v"
        await store.state.put_many("t", {b"k": b"w"})
        assert await store.blocks.put_many(blocks[10:20]) == 10
        for block in blocks[:20]:
            assert await store.blocks.get(block.cid) == block.data
        assert not (tmp_path / STORE_DIRECTORY / COMPACTING_DIRECTORY).exists()
    async with open_store(tmp_path, QUICK) as store:
        assert (await store.blocks.stats()).blocks == 20
        assert await store.state.get("t", b"k") == b"w"


async def test_writes_wait_for_it_and_reads_do_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before, meanwhile = noise(2)
    await store.blocks.put_many([before])
    copying_now, go_on = threading.Event(), threading.Event()
    copy = compaction.copy_store

    def slow(*args: Any) -> Path:
        made = copy(*args)
        copying_now.set()
        assert go_on.wait(10)
        return made

    monkeypatch.setattr(compaction, "copy_store", slow)
    written: list[int] = []

    async def put() -> None:
        written.append(await store.blocks.put_many([meanwhile]))

    compactor = Compactor(store.environment)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(compactor.compact)
        await trio.to_thread.run_sync(copying_now.wait, 10)
        nursery.start_soon(put)
        await wait_all_tasks_blocked()
        assert await store.blocks.get_many([before.cid, meanwhile.cid]) == [before.data, None]
        assert compactor.copied_bytes() > 0
        with pytest.raises(StoreError, match="already"):
            await compactor.compact()
        assert written == []
        go_on.set()
    assert written == [1]
    assert await store.blocks.get(meanwhile.cid) == meanwhile.data
    assert compactor.copied_bytes() == 0


async def test_files_change_places_when_nobody_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on = threading.Event(), threading.Event()
    seen: list[int] = []

    def slow(txn: Any) -> int:
        reading.set()
        assert go_on.wait(10)
        return int(txn.stat(store.environment.tables.blocks)["entries"])

    async def read() -> None:
        seen.append(await store.environment.read(slow))

    await store.blocks.put_many(noise(3))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.to_thread.run_sync(reading.wait, 10)
        wait_for = store.environment._reads.wait_for

        def let_the_read_end_and_wait(done: Callable[[], bool]) -> bool:
            go_on.set()
            return wait_for(done)

        monkeypatch.setattr(store.environment._reads, "wait_for", let_the_read_end_and_wait)
        nursery.start_soon(Compactor(store.environment).compact)
    assert seen == [3]
    assert (await store.blocks.stats()).blocks == 3


async def test_no_room_for_the_copy(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = noise(3)
    await store.blocks.put_many(blocks)
    with monkeypatch.context() as patch:
        patch.setattr(copying.os, "statvfs", lambda _: SimpleNamespace(f_bavail=1, f_frsize=4096))
        with pytest.raises(StoreFullError, match="compaction"):
            await Compactor(store.environment).compact()
    assert await store.blocks.get_many([block.cid for block in blocks]) == [block.data for block in blocks]
    assert await store.blocks.put_many(noise(1, seed=2)) == 1


async def test_a_file_that_cannot_take_its_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = noise(3)
    await store.blocks.put_many(blocks)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(StoreError, match="take its place"):
            await Compactor(store.environment).compact()
    assert await store.blocks.get_many([block.cid for block in blocks]) == [block.data for block in blocks]
    assert await store.blocks.put_many(noise(1, seed=2)) == 1
    assert (await Compactor(store.environment).compact()).after_bytes > 0


FULL_CHILD = """
import resource, sys, trio
from pathlib import Path
from chiral.block.block import Block
from chiral.errors import StoreFullError
from chiral.store.compaction import Compactor
from chiral.store.settings import StoreSettings
from chiral.store.store import open_store

async def main() -> None:
    async with open_store(Path(sys.argv[1]), StoreSettings(compression="none")) as store:
        blocks = [Block.of(number.to_bytes(4, "big") * 10_000) for number in range(50)]
        await store.blocks.put_many(blocks)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        try:
            await Compactor(store.environment).compact()
        except StoreFullError as error:
            print(error)
        assert await store.blocks.get_many([b.cid for b in blocks]) == [b.data for b in blocks]
        assert not (Path(sys.argv[1]) / "store" / "compacting").exists()

trio.run(main)
"""


def test_a_disk_that_fills_up_meanwhile(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FULL_CHILD, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert "no space left" in child.stdout


def test_what_a_cut_one_left_is_removed(tmp_path: Path) -> None:
    Environment.open(tmp_path, QUICK).close()
    left = tmp_path / STORE_DIRECTORY / COMPACTING_DIRECTORY
    left.mkdir()
    (left / DATA_FILE).write_bytes(b"half")
    Environment.open(tmp_path, QUICK).close()
    assert not left.exists()


async def test_killed_while_it_compacts_nothing_is_lost(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    compacted = 0
    held: list[CID] = []
    for round_ in range(6):
        said = run_and_kill(CHILD, tmp_path, round_ * 1_000, rng, range(3, 30))
        compacted += sum(line == "compacted\n" for line in said)
        held += [CID.parse(line.split()[1]) for line in said if line.startswith("put")]
        async with open_store(tmp_path, StoreSettings(durable=False, verify_on_read=True)) as store:
            assert None not in await store.blocks.get_many(held)
    assert compacted >= 3
