"""Small files that are added together: each as if it were added alone, all of them or none."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from chiral.errors import StoreError, StoreFullError
from tests.files.rig import Rig

SMALL_BYTES = 256 * 1024


def written(folder: Path, *contents: bytes) -> list[tuple[Path, str]]:
    """A file of each, with the name it is to have."""
    asked = [(folder / f"f{number}", f"name {number}") for number in range(len(contents))]
    for (path, _), data in zip(asked, contents, strict=True):
        path.write_bytes(data)
    return asked


async def test_each_is_what_it_is_when_added_alone(tmp_path: Path) -> None:
    asked = written(tmp_path, b"", b"x", bytes(SMALL_BYTES), b"abc" * 5000)
    together, alone = Rig(), Rig()
    added = await together.files.add_small(asked)
    assert added[:2] == [await alone.files.add_path(path, name=name) for path, name in asked[:2]]
    for one, (path, name) in zip(added, asked, strict=True):
        assert one is not None
        assert one.root == (await alone.files.add_path(path, name=name)).root
        assert await together.files.record(one.root) is not None
        assert len(await together.files.chunks(one.root)) == one.chunks
    several = [one for one in added if one is not None]
    dags = [one.dag_root for one in several if one.chunks > 1]
    assert together.announcer.told == [("added", root) for root in (*(one.root for one in several), *dags)]


async def test_what_is_not_small_or_not_there_is_left(tmp_path: Path) -> None:
    rig = Rig()
    asked = written(tmp_path, b"one", bytes(SMALL_BYTES + 1), b"two")
    asked += [(tmp_path / "missing", "m"), (tmp_path, "folder"), (asked[0][0], "long" * 300)]
    added = await rig.files.add_small(asked)
    assert [one is not None for one in added] == [True, False, True, False, False, False]
    assert len(await rig.files.page()) == 2


async def test_nothing_small_is_nothing_done(tmp_path: Path) -> None:
    rig = Rig()
    assert await rig.files.add_small([(tmp_path / "missing", "m")]) == [None]
    assert rig.announcer.told == []


async def test_a_block_is_new_once(tmp_path: Path) -> None:
    rig = Rig()
    await rig.files.add_small(written(tmp_path, b"known"))
    added = await rig.files.add_small(written(tmp_path, b"known", b"twice", b"twice", b"other"))
    assert [one.new_blocks for one in added if one is not None] == [0, 1, 0, 1]


async def test_a_full_store_takes_none(tmp_path: Path) -> None:
    rig = Rig()
    rig.blocks.fault = StoreFullError("full")
    with pytest.raises(StoreError):
        await rig.files.add_small(written(tmp_path, b"one", b"two"))
    assert await rig.files.page() == []
    assert rig.announcer.told == []


async def test_cancelled_it_leaves_no_file_without_its_blocks(tmp_path: Path) -> None:
    rig = Rig()
    asked = written(tmp_path, b"one", b"two")
    with trio.CancelScope() as scope:
        scope.cancel()
        await rig.files.add_small(asked)
    assert await rig.files.page() == []
    assert all(one is not None for one in await rig.files.add_small(asked))
