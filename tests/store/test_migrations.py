"""An older layout becomes today's: with a backup first, whole or not at all, and cut anywhere it goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import lmdb
import pytest
import trio

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from chiral.clock import TrioClock
from chiral.errors import StoreError, StoreFullError
from chiral.store import copying
from chiral.store.backup import backups
from chiral.store.environment import STORE_DIRECTORY, Environment
from chiral.store.migrations import MIGRATIONS, Migration, is_under_way, migrate
from chiral.store.schema import SCHEMA_VERSION, open_tables
from chiral.store.settings import StoreSettings
from chiral.store.store import open_store
from chiral.store.upkeep import Upkeep
from tests.store.version_1 import version_of, write_version_1

QUICK = StoreSettings(durable=False)
BLOCKS = {
    CID.of(bytes([number]) * 1000, DAG_PB if number % 2 else 0x55): bytes([number]) * 1000 for number in range(40)
}


def test_there_is_a_migration_from_each_layout_to_the_next() -> None:
    assert [migration.version for migration in MIGRATIONS] == list(range(2, SCHEMA_VERSION + 1))


async def test_a_store_of_layout_1(tmp_path: Path) -> None:
    write_version_1(tmp_path, BLOCKS)
    async with open_store(tmp_path, QUICK) as store:
        assert await store.blocks.get_many(list(BLOCKS)) == list(BLOCKS.values())
        stats = await store.blocks.stats()
        assert (stats.blocks, stats.size_bytes, stats.rest_bytes) == (40, 40_000, 40_000)
        assert {str(cid) for cid in await store.blocks.page()} == {str(cid) for cid in BLOCKS}
        assert await store.state.get("table", b"key") == b"value"
        packed = Block.of(b"packed" * 1000)
        assert await store.blocks.put_many([packed, Block(next(iter(BLOCKS)), BLOCKS[next(iter(BLOCKS))])]) == 1
    async with open_store(tmp_path, QUICK) as store:
        assert await store.blocks.get(packed.cid) == packed.data
    assert version_of(tmp_path / STORE_DIRECTORY) == b"%d" % SCHEMA_VERSION


async def test_the_backup_is_a_whole_store_of_the_old_layout_and_goes_with_the_next_start(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.05  # threads are at work in real time
    write_version_1(tmp_path / "node", BLOCKS)
    async with open_store(tmp_path / "node", QUICK) as store, trio.open_nursery() as nursery:
        nursery.start_soon(Upkeep.of(store, TrioClock()).run)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    (backup,) = backups(tmp_path / "node")
    assert backup.name.startswith("backup-v1-")
    assert version_of(backup) == b"1"
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / STORE_DIRECTORY).symlink_to(backup, target_is_directory=True)
    async with open_store(tmp_path / "restored", StoreSettings(durable=False, migration_backup=False)) as store:
        assert await store.blocks.get_many(list(BLOCKS)) == list(BLOCKS.values())
    async with open_store(tmp_path / "node", QUICK) as store, trio.open_nursery() as nursery:
        nursery.start_soon(Upkeep.of(store, TrioClock()).run)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert backups(tmp_path / "node") == []


async def test_backups_are_removed_on_demand(tmp_path: Path) -> None:
    write_version_1(tmp_path, BLOCKS)
    async with open_store(tmp_path, QUICK) as store:
        upkeep = Upkeep.of(store, TrioClock())
        assert len(upkeep.backups()) == 1
        assert await upkeep.remove_backups() > 40_000
        assert upkeep.backups() == []


def test_a_current_store_is_not_backed_up(tmp_path: Path) -> None:
    Environment.open(tmp_path, QUICK).close()
    Environment.open(tmp_path, QUICK).close()
    assert backups(tmp_path) == []


def test_no_room_for_the_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_version_1(tmp_path, BLOCKS)
    full = SimpleNamespace(f_bavail=1, f_frsize=4096)
    with monkeypatch.context() as patch:
        patch.setattr(copying.os, "statvfs", lambda _: full)
        with pytest.raises(StoreFullError, match="backup") as caught:
            Environment.open(tmp_path, QUICK)
    assert "store.migration_backup" in caught.value.hint
    assert version_of(tmp_path / STORE_DIRECTORY) == b"1"
    assert not list(tmp_path.glob("backup*"))
    Environment.open(tmp_path, StoreSettings(durable=False, migration_backup=False)).close()
    assert version_of(tmp_path / STORE_DIRECTORY) == b"%d" % SCHEMA_VERSION
    assert backups(tmp_path) == []


def test_what_a_cut_backup_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "backup-v1-20300101T000000Z.partial"
    left.mkdir()
    (left / "data.mdb").write_bytes(b"half")
    mine = tmp_path / "backup-very-own"
    mine.mkdir()
    Environment.open(tmp_path, QUICK).close()
    assert not left.exists()
    assert mine.exists()


CHILD = """
import resource, sys
from pathlib import Path
from chiral.errors import StoreFullError
from chiral.store.environment import Environment
from chiral.store.settings import StoreSettings

size = (Path(sys.argv[1]) / "store" / "data.mdb").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (int(size * float(sys.argv[2])), resource.RLIM_INFINITY))
try:
    Environment.open(Path(sys.argv[1]), StoreSettings(migration_backup=sys.argv[3] == "backup"))
except StoreFullError as error:
    print(error)
"""


@pytest.mark.parametrize(("part", "backup"), [(0.3, "backup"), (1.0, "none")])
def test_a_disk_that_fills_up_leaves_the_old_layout(tmp_path: Path, part: float, backup: str) -> None:
    write_version_1(tmp_path, BLOCKS)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), str(part), backup], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert "no space left" in child.stdout
    assert version_of(tmp_path / STORE_DIRECTORY) == b"1"
    assert not list(tmp_path.glob("backup*"))
    Environment.open(tmp_path, QUICK).close()
    assert version_of(tmp_path / STORE_DIRECTORY) == b"%d" % SCHEMA_VERSION


def counting_parts(cut_at: int, seen: list[tuple[str, bytes]]) -> Callable[[str, int], object]:
    """Parts of a migration that note where they are and fail once in all, at their `cut_at`-th step."""

    def part(name: str, steps: int) -> object:
        def step(txn: object, tables: object, place: bytes) -> bytes | None:
            if len(seen) == cut_at:
                seen.append(("cut", b""))
                raise StoreError("cut")
            seen.append((name, place))
            here = int(place or b"0") + 1
            return None if here == steps else b"%d" % here

        return step

    return part


@pytest.mark.parametrize("cut_at", range(5))
def test_a_cut_migration_goes_on_where_it_was(tmp_path: Path, cut_at: int) -> None:
    write_version_1(tmp_path, BLOCKS)
    directory = tmp_path / STORE_DIRECTORY
    seen: list[tuple[str, bytes]] = []
    part = counting_parts(cut_at, seen)
    plan = [Migration(2, "test", (part("a", 2), part("b", 3)))]  # type: ignore[arg-type]
    with lmdb.open(str(directory), max_dbs=32, map_size=1 << 30) as handle:
        with pytest.raises(StoreError, match="cut"):
            migrate(handle, open_tables(handle), directory, 1, plan)
        assert is_under_way(handle) == (cut_at > 0)
    assert version_of(directory) == b"1"
    with lmdb.open(str(directory), max_dbs=32, map_size=1 << 30) as handle:
        migrate(handle, open_tables(handle), directory, 1, plan)
        assert not is_under_way(handle)
    assert [entry for entry in seen if entry[0] != "cut"] == [
        ("a", b""),
        ("a", b"1"),
        ("b", b""),
        ("b", b"1"),
        ("b", b"2"),
    ]
    assert version_of(directory) == b"2"


def test_a_migration_under_way_is_not_backed_up_again(tmp_path: Path) -> None:
    write_version_1(tmp_path, BLOCKS)
    directory = tmp_path / STORE_DIRECTORY
    with lmdb.open(str(directory), max_dbs=32, map_size=1 << 30) as handle:
        meta = handle.open_db(b"meta")
        with handle.begin(write=True) as txn:
            txn.put(b"migration", b"2:0:", db=meta)
    Environment.open(tmp_path, QUICK).close()
    assert backups(tmp_path) == []
    assert os.listdir(directory)
