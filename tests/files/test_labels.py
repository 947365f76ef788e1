from __future__ import annotations

from dataclasses import replace

import pytest

from chiral.block.cid import CID, DAG_PB
from chiral.clock import TrioClock
from chiral.errors import NotFoundError, UsageError
from chiral.files.labels import MAX_LIFETIME_S, MAX_TAGS, Labels
from chiral.interface.catalogue import FileQuery, FileRecord
from tests.contracts.catalogued import file_of
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue

MISSING = CID.of(b"missing")


@pytest.fixture
def catalogue() -> MemoryCatalogue:
    return MemoryCatalogue(MemoryBlockstore())


@pytest.fixture
def labels(catalogue: MemoryCatalogue) -> Labels:
    return Labels(catalogue, TrioClock())


@pytest.fixture
async def held(catalogue: MemoryCatalogue) -> FileRecord:
    record, manifest, _ = file_of("file.txt", b"one")
    known = replace(record, dag_root=CID.of(b"dag", DAG_PB))
    await catalogue.put(known, manifest)
    return known


async def test_a_file_is_found_by_either_root(labels: Labels, held: FileRecord) -> None:
    assert held.dag_root is not None
    assert await labels.find(held.root) == await labels.find(held.dag_root) == held
    assert await labels.held([MISSING, held.root]) == [False, True]
    with pytest.raises(NotFoundError):
        await labels.find(MISSING)


async def test_tags_come_and_go(labels: Labels, held: FileRecord) -> None:
    assert held.dag_root is not None
    assert (await labels.tag(held.dag_root, [" red ", "blue", "red"], [])).tags == ("blue", "red")
    assert (await labels.tag(held.root, ["green"], ["red", "unknown"])).tags == ("blue", "green")
    assert [found.root for found in await labels.search(FileQuery(tags=("green",)))] == [held.root]
    assert await labels.search(FileQuery(tags=("red",))) == []


@pytest.mark.parametrize("tag", ["", "  ", "a" * 65, "new\nline", "\x00", "\x01", "\ud800"])
async def test_what_is_no_tag(labels: Labels, held: FileRecord, tag: str) -> None:
    with pytest.raises(UsageError, match="tag"):
        await labels.tag(held.root, ["fine", tag], [])
    assert (await labels.find(held.root)).tags == ()


async def test_tags_are_not_without_number(labels: Labels, held: FileRecord) -> None:
    await labels.tag(held.root, [f"tag {number}" for number in range(MAX_TAGS)], [])
    with pytest.raises(UsageError, match="at most"):
        await labels.tag(held.root, ["one more"], [])
    assert len((await labels.tag(held.root, ["one more"], ["tag 0"])).tags) == MAX_TAGS


async def test_a_lifetime_begins_now(labels: Labels, held: FileRecord) -> None:
    expires_at = (await labels.expire(held.root, 3600)).expires_at
    assert expires_at is not None
    assert expires_at == pytest.approx(TrioClock().wall() + 3600, abs=5)
    assert (await labels.expire(held.root, None)).expires_at is None


@pytest.mark.parametrize("lifetime_s", [0, -1, MAX_LIFETIME_S + 1, float("nan"), float("inf")])
async def test_what_is_no_lifetime(labels: Labels, held: FileRecord, lifetime_s: float) -> None:
    with pytest.raises(UsageError, match="lifetime"):
        await labels.expire(held.root, lifetime_s)


async def test_what_is_not_here_cannot_be_labelled(labels: Labels) -> None:
    for call in (labels.tag(MISSING, ["a"], []), labels.expire(MISSING, 1)):
        with pytest.raises(NotFoundError):
            await call
