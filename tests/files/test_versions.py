from __future__ import annotations

from pathlib import Path

import pytest
import trio

from chiral.block.cid import CID
from chiral.clock import TrioClock
from chiral.errors import NotFoundError, StoreError, UsageError
from chiral.files.versions import TABLE, Versions
from chiral.store.store import open_store
from tests.fakes.memory_store import MemoryDatastore

ROOTS = [CID.of(b"%d" % number) for number in range(6)]


@pytest.fixture
def datastore() -> MemoryDatastore:
    return MemoryDatastore()


@pytest.fixture
def versions(datastore: MemoryDatastore) -> Versions:
    return Versions(datastore, TrioClock())


async def test_versions_are_numbered_and_the_last_is_meant(versions: Versions) -> None:
    made = [await versions.add("report", root, number) for number, root in enumerate(ROOTS[:3])]
    assert [version.number for version in made] == [1, 2, 3]
    assert await versions.page("report") == made
    assert await versions.get("report") == made[2]
    assert await versions.get("report", 1) == made[0]
    assert await versions.resolve("report") == ROOTS[2]
    assert await versions.resolve("report@2") == ROOTS[1]
    assert await versions.resolve("report@4") is None
    assert await versions.resolve("report@0") is None
    assert await versions.resolve("other") is None


async def test_the_same_content_again_is_no_version(versions: Versions) -> None:
    first = await versions.add("report", ROOTS[0], 1)
    assert await versions.add("report", ROOTS[0], 1) == first
    await versions.add("report", ROOTS[1], 1)
    assert (await versions.add("report", ROOTS[0], 1)).number == 3


async def test_restoring_makes_a_new_version_of_an_old_content(versions: Versions) -> None:
    for root in ROOTS[:3]:
        await versions.add("report", root, 7)
    restored = await versions.restore("report", 1)
    assert (restored.number, restored.root, restored.size) == (4, ROOTS[0], 7)
    assert await versions.resolve("report") == ROOTS[0]
    with pytest.raises(NotFoundError):
        await versions.restore("report", 9)


async def test_a_number_is_never_given_twice(versions: Versions) -> None:
    for root in ROOTS[:3]:
        await versions.add("report", root, 1)
    assert (await versions.remove("report", 3)).root == ROOTS[2]
    assert await versions.resolve("report") == ROOTS[1]
    assert (await versions.add("report", ROOTS[3], 1)).number == 4
    await versions.remove("report", 1)
    assert [version.number for version in await versions.page("report")] == [2, 4]
    for number in (1, 3, 5):
        with pytest.raises(NotFoundError):
            await versions.remove("report", number)


async def test_a_name_without_versions_is_none(versions: Versions) -> None:
    await versions.add("report", ROOTS[0], 1)
    await versions.remove("report", 1)
    assert await versions.page("report") == []
    assert await versions.names() == []
    assert await versions.resolve("report") is None
    with pytest.raises(NotFoundError):
        await versions.get("report")


async def test_pages(versions: Versions) -> None:
    for root in ROOTS:
        await versions.add("report", root, 1)
    assert [version.number for version in await versions.page("report", 2, 3)] == [3, 4, 5]
    assert [version.number for version in await versions.page("report", 5, 3)] == [6]


async def test_names_page_by_page(versions: Versions) -> None:
    names = {f"name {number}" for number in range(7)}
    for name in names:
        await versions.add(name, ROOTS[0], 1)
        await versions.add(name, ROOTS[1], 1)
    seen: list[str] = []
    while page := await versions.names(seen[-1] if seen else "", 3):
        assert all(name.latest == 2 for name in page)
        seen += [name.name for name in page]
    assert len(seen) == 7
    assert set(seen) == names


async def test_a_name_may_look_like_a_version(versions: Versions) -> None:
    await versions.add("me@2", ROOTS[0], 1)
    assert await versions.resolve("me@2") == ROOTS[0]
    await versions.add("me", ROOTS[1], 1)
    await versions.add("me", ROOTS[2], 1)
    assert await versions.resolve("me@2") == ROOTS[2]
    assert await versions.resolve("me@2@1") == ROOTS[0]


async def test_either_a_cid_or_a_name(versions: Versions) -> None:
    await versions.add("report", ROOTS[0], 1)
    assert await versions.resolve_any(str(ROOTS[5])) == ROOTS[5]
    assert await versions.resolve_any(" report@1 ") == ROOTS[0]
    with pytest.raises(NotFoundError, match="neither"):
        await versions.resolve_any("unknown")


@pytest.mark.parametrize("name", ["", " ", "a" * 1025, "\u00e4" * 513, "new\nline", "\ud800", str(ROOTS[0])])
async def test_what_cannot_be_a_name(versions: Versions, name: str) -> None:
    with pytest.raises(UsageError):
        await versions.add(name, ROOTS[0], 1)


async def test_adds_at_once_get_numbers_of_their_own(versions: Versions) -> None:
    async with trio.open_nursery() as nursery:
        for root in ROOTS:
            nursery.start_soon(versions.add, "report", root, 1)
    assert {version.root for version in await versions.page("report")} == set(ROOTS)
    assert (await versions.get("report")).number == len(ROOTS)


async def test_a_damaged_entry_is_a_fault_of_the_store(versions: Versions, datastore: MemoryDatastore) -> None:
    await versions.add("report", ROOTS[0], 1)
    for key, _ in await datastore.page(TABLE):
        await datastore.put_many(TABLE, {key: b'{"name":1}'})
    for call in (versions.get("report"), versions.page("report"), versions.names()):
        with pytest.raises(StoreError):
            await call


async def test_versions_outlive_the_process(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        made = await Versions(store.state, TrioClock()).add("report", ROOTS[0], 1)
    async with open_store(tmp_path) as store:
        assert await Versions(store.state, TrioClock()).page("report") == [made]
