"""A store without room: a clear error, nothing acknowledged lost, and room again after deletion."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import lmdb
import pytest

from chiral.block.block import Block
from chiral.errors import StoreError, StoreFullError
from chiral.store.faults import store_fault
from chiral.store.settings import StoreSettings
from chiral.store.store import Store, open_store

SMALL_MAP = StoreSettings(durable=False, compression="none", map_size_bytes=4 << 20)


def error(code: int) -> lmdb.Error:
    """What LMDB raises for the system's error `code`."""
    made: Any = lmdb.Error("mdb_txn_commit")
    made.code = code
    return cast("lmdb.Error", made)


def numbered(count: int, size: int) -> list[Block]:
    return [Block.of(number.to_bytes(4, "big") * (size // 4)) for number in range(count)]


async def fill(store: Store, blocks: list[Block]) -> list[Block]:
    """Put one by one until there is no room; what was acknowledged."""
    held: list[Block] = []
    try:
        for block in blocks:
            await store.blocks.put_many([block])
            held.append(block)
    except StoreFullError:
        return held
    pytest.fail("never full")


@pytest.mark.parametrize("size", [300, 1000, 5000, 262_144])
async def test_a_full_map(tmp_path: Path, size: int) -> None:
    blocks = numbered((8 << 20) // size, size)
    async with open_store(tmp_path, SMALL_MAP) as store:
        held = await fill(store, blocks)
        assert (await store.blocks.stats()).blocks == len(held)
        assert await store.blocks.get_many([block.cid for block in held]) == [block.data for block in held]
        doomed, rest = held[: len(held) * 7 // 8], held[len(held) * 7 // 8 :]
        assert await store.blocks.delete_many([block.cid for block in doomed]) == len(doomed)
        back = doomed[: len(doomed) // 2]
        assert await store.blocks.put_many(back) == len(back)
    async with open_store(tmp_path, SMALL_MAP) as store:
        kept = [*rest, *back]
        assert await store.blocks.get_many([block.cid for block in kept]) == [block.data for block in kept]
        assert (await store.blocks.stats()).size_bytes == len(kept) * size


async def test_a_map_full_of_other_things_lets_blocks_be_deleted(tmp_path: Path) -> None:
    async with open_store(tmp_path, SMALL_MAP) as store:
        block = Block.of(b"one")
        await store.blocks.put_many([block])

        async def fill_with_state() -> None:
            for number in range(1_000):
                await store.state.put_many("t", {b"%d %d" % (number, part): bytes(400) for part in range(100)})

        with pytest.raises(StoreFullError):
            await fill_with_state()
        assert await store.blocks.delete_many([block.cid]) == 1


CHILD = """
import resource, sys, trio
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from chiral.block.block import Block
from chiral.errors import StoreFullError
from chiral.store.settings import StoreSettings
from chiral.store.store import open_store

LIMIT_BYTES = 3_500_000

async def main() -> None:
    async with open_store(Path(sys.argv[1]), StoreSettings(compression="none")) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, resource.RLIM_INFINITY))
        blocks = [Block.of(number.to_bytes(4, "big") * (int(sys.argv[2]) // 4)) for number in range(int(sys.argv[3]))]
        held, step = [], max(1, 64_000 // int(sys.argv[2]))
        try:
            for start in range(0, len(blocks), step):
                await store.blocks.put_many(blocks[start : start + step])
                held += blocks[start : start + step]
        except StoreFullError as error:
            print(error)
        else:
            raise SystemExit("never full")
        assert await store.blocks.get_many([b.cid for b in held]) == [b.data for b in held]
        doomed = held[: len(held) // 2]
        assert await store.blocks.delete_many([b.cid for b in doomed]) == len(doomed)
        assert await store.blocks.put_many(doomed[:2]) == 2
        assert await store.blocks.get_many([b.cid for b in doomed[:2]]) == [b.data for b in doomed[:2]]

trio.run(main)
"""


@pytest.mark.parametrize(("size", "count"), [(1000, 8000), (262_144, 32)])
def test_a_full_disk(tmp_path: Path, size: int, count: int) -> None:
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), str(size), str(count)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert "no space left" in child.stdout


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_what_the_system_calls_no_space(tmp_path: Path, code: int) -> None:
    assert isinstance(store_fault(error(code), tmp_path), StoreFullError)


def test_an_io_error_with_room_left_is_no_full_disk(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"")
    fault = store_fault(error(errno.EIO), tmp_path)
    assert type(fault) is StoreError
    assert type(store_fault(error(errno.EIO), tmp_path / "gone")) is StoreError


def test_a_store_that_takes_no_more(tmp_path: Path) -> None:
    fault = store_fault(lmdb.PanicError("mdb_txn_begin"), tmp_path)
    assert type(fault) is StoreError
    assert "restart" in fault.hint


async def test_what_is_to_stay_free_on_the_disk(tmp_path: Path) -> None:
    async with open_store(tmp_path, StoreSettings(durable=False)) as store:
        held = numbered(10, 1000)
        await store.blocks.put_many(held)
    async with open_store(tmp_path, StoreSettings(durable=False, disk_reserve_bytes=1 << 60)) as store:
        with pytest.raises(StoreFullError, match="no space left"):
            await store.blocks.put_many(numbered(11, 1000))
        assert await store.blocks.get_many([block.cid for block in held]) == [block.data for block in held]
        assert await store.blocks.delete_many([block.cid for block in held]) == 10


async def test_deletions_go_in_smaller_steps_where_pages_are_short(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = numbered(3000, 4)
    await store.blocks.put_many(blocks)
    environment = store.environment
    write = environment.write
    steps: list[int] = []

    async def write_a_little(apply: Any, **options: Any) -> Any:
        steps.append(len(apply.keywords["keys"]))
        if steps[-1] > most:
            raise StoreFullError("no pages")
        return await write(apply, **options)

    monkeypatch.setattr(environment, "write", write_a_little)
    most = 100
    assert await store.blocks.delete_many([block.cid for block in blocks[:2000]]) == 2000
    assert steps[:3] == [256, 32, 32]
    most = 0
    with pytest.raises(StoreFullError):
        await store.blocks.delete_many([block.cid for block in blocks[2000:]])
    assert (await store.blocks.stats()).blocks == 1000


async def test_on_a_full_disk_what_was_freed_in_the_file_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = numbered(40, 262_144)
    async with open_store(
        tmp_path, StoreSettings(durable=False, compression="none", disk_reserve_bytes=1 << 20)
    ) as store:
        await store.blocks.put_many(blocks[:20])
        monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=0, f_frsize=4096))
        with pytest.raises(StoreFullError, match="no space left"):
            await store.blocks.put_many(blocks[20:])
        await store.blocks.delete_many([block.cid for block in blocks[:10]])
        assert await store.blocks.put_many(blocks[20:25]) == 5
        with pytest.raises(StoreFullError, match="no space left"):
            await store.blocks.put_many(blocks[25:])
