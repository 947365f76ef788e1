"""Files that were added are described behind, in batches; what cannot be described is said and passed over."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.abc import Clock

from chiral.block.cid import CID
from chiral.clock import TrioClock
from chiral.dag.file_info import FileInfo
from chiral.dag.metadata_record import FileMetadata, decode_metadata_record
from chiral.dag.metadata_validator import issue, metadata_key
from chiral.errors import StoreError, UsageError
from chiral.host.identity import new_identity
from chiral.host.signing import KeySigner
from chiral.interface.catalogue import FileRecord
from chiral.node import file_metadata as module
from chiral.node.file_metadata import FileMetadataAnnouncer, media_type
from chiral.node.value_rules import value_rules
from chiral.routing.settings import KadSettings
from tests.fakes.memory_store import MemoryBlockstore, MemoryCatalogue

SIGNER = KeySigner(new_identity(bytes(32)))


class Inner:
    """Notes what it is told; `added` takes two seconds."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[CID, ...]]] = []

    async def added(self, *roots: CID) -> None:
        await trio.sleep(2)
        self.calls.append(("added", roots))

    def fetched(self, root: CID) -> None:
        self.calls.append(("fetched", (root,)))

    async def removed(self, root: CID, chunks: Sequence[CID]) -> None:
        self.calls.append(("removed", (root, *chunks)))


class Publisher:
    """Keeps what is published; refuses batches with a key in `bad`, and everything while it has a fault."""

    def __init__(self) -> None:
        self.batches: list[dict[bytes, bytes]] = []
        self.withdrawn: list[bytes] = []
        self.bad: set[bytes] = set()
        self.fault: StoreError | None = None
        self.published = trio.Event()
        self.takes_s = 0.0

    async def publish_records(self, values: Mapping[bytes, bytes]) -> None:
        await trio.sleep(self.takes_s)
        if self.fault is not None:
            raise self.fault
        if self.bad & set(values):
            raise UsageError("made tomorrow")
        self.batches.append(dict(values))
        self.published.set()

    async def withdraw_records(self, keys: Sequence[bytes]) -> None:
        if self.fault is not None:
            raise self.fault
        self.withdrawn += keys


class Rig:
    def __init__(self, *, publishes: bool = True) -> None:
        self.inner = Inner()
        self.publisher = Publisher()
        self.catalogue = MemoryCatalogue(MemoryBlockstore())
        self.announcer = FileMetadataAnnouncer(
            self.inner, self.publisher, self.catalogue, SIGNER, TrioClock(), publishes=publishes
        )

    async def file(self, number: int, chunks: int = 1, name: str = "a.txt") -> CID:
        """A file in the catalogue."""
        info = FileInfo.of(name, 1, [CID.of(b"%d %d" % (number, chunk)) for chunk in range(chunks)], 1)
        await self.catalogue.put(FileRecord(info.root_cid, name, 1, chunks, 1, 1), info.to_json())
        return info.root_cid


@asynccontextmanager
async def running() -> AsyncIterator[Rig]:
    async with trio.open_nursery() as nursery:
        rig = Rig()
        nursery.start_soon(rig.announcer.run)
        yield rig
        nursery.cancel_scope.cancel()


async def test_what_is_added_is_announced_and_then_described(autojump_clock: Clock) -> None:
    async with running() as rig:
        roots = [await rig.file(number) for number in range(100)]
        await rig.announcer.added(*roots)
        assert rig.inner.calls == [("added", tuple(roots))]
        assert rig.publisher.batches == []
        await trio.sleep(2)
        assert [len(batch) for batch in rig.publisher.batches] == [64, 36]
        assert {key for batch in rig.publisher.batches for key in batch} == set(map(metadata_key, roots))
        record = decode_metadata_record(rig.publisher.batches[0][metadata_key(roots[0])])
        assert (record.metadata.info.root_cid, record.metadata.mime_type) == (roots[0], "text/plain")


async def test_the_type_is_the_one_in_the_catalogue(autojump_clock: Clock) -> None:
    async with running() as rig:
        root = await rig.file(1, name="nameless")
        await rig.catalogue.amend(root, lambda record: replace(record, mime="image/png"))
        await rig.announcer.added(root)
        await trio.sleep(2)
        described = decode_metadata_record(rig.publisher.batches[0][metadata_key(root)])
        assert described.metadata.mime_type == "image/png"


async def test_an_add_that_is_cancelled_is_described_all_the_same(autojump_clock: Clock) -> None:
    async with running() as rig:
        root = await rig.file(1)
        with trio.move_on_after(1):
            await rig.announcer.added(root)
        await trio.sleep(2)
        assert len(rig.publisher.batches) == 1


async def test_fetched_files_are_not_described_and_removed_ones_no_longer(autojump_clock: Clock) -> None:
    async with running() as rig:
        fetched, removed = await rig.file(1), await rig.file(2)
        rig.announcer.fetched(fetched)
        await rig.announcer.added(removed)
        await rig.announcer.removed(removed, [fetched])
        await trio.sleep(2)
        assert rig.inner.calls[0] == ("fetched", (fetched,))
        assert rig.inner.calls[-1] == ("removed", (removed, fetched))
        assert rig.publisher.withdrawn == [metadata_key(removed)]
        assert rig.publisher.batches == []


async def test_a_node_that_publishes_nothing_only_withdraws(autojump_clock: Clock) -> None:
    async with trio.open_nursery() as nursery:
        rig = Rig(publishes=False)
        nursery.start_soon(rig.announcer.run)
        root = await rig.file(1)
        await rig.announcer.added(root)
        await rig.announcer.removed(root, [])
        await trio.sleep(5)
        assert [kind for kind, _ in rig.inner.calls] == ["added", "removed"]
        assert (rig.publisher.batches, rig.publisher.withdrawn) == ([], [metadata_key(root)])
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("announces", [True, False])
def test_own_records_of_another_time_are_given_up_by_who_announces_nothing(announces: bool) -> None:
    info = FileInfo.of("f", 0, [], 1)
    value = issue(FileMetadata(info), SIGNER, 1_700_000_000.0)
    rules = value_rules(KadSettings(), SIGNER, announces=announces)
    assert rules.validators["metadata"].validate(metadata_key(info.root_cid), value, 1_700_000_000.0)
    if announces:
        assert rules.renewers["metadata"](value, 1_700_000_001.0) == value
    else:
        with pytest.raises(UsageError):
            rules.renewers["metadata"](value, 1_700_000_001.0)


async def test_a_file_removed_while_it_is_being_described(autojump_clock: Clock) -> None:
    async with running() as rig:
        rig.publisher.takes_s = 5.0
        root = await rig.file(1)
        await rig.announcer.added(root)
        await trio.sleep(3)
        await rig.announcer.removed(root, [])
        rig.publisher.withdrawn.clear()
        await trio.sleep(5)
        assert list(rig.publisher.batches[0]) == rig.publisher.withdrawn == [metadata_key(root)]


async def test_a_file_of_many_chunks_is_said_not_to_be_described(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running() as rig:
        fits, large, huge = await rig.file(1, 300), await rig.file(2, 365), await rig.file(3, 2000)
        gone = CID.of(b"gone")
        await rig.announcer.added(huge, large, gone, fits)
        await rig.publisher.published.wait()
        assert [list(batch) for batch in rig.publisher.batches] == [[metadata_key(fits)]]
    assert f"metadata of {large} is not published" in caplog.text
    assert f"metadata of {huge} is not published: 2000 chunks" in caplog.text
    assert str(gone) not in caplog.text


async def test_one_that_cannot_be_published_holds_up_none(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as rig:
        roots = [await rig.file(number) for number in range(3)]
        rig.publisher.bad.add(metadata_key(roots[1]))
        await rig.announcer.added(*roots)
        await trio.sleep(2)
        assert [key for batch in rig.publisher.batches for key in batch] == [
            metadata_key(roots[0]),
            metadata_key(roots[2]),
        ]
        rig.publisher.fault = StoreError("the disk is gone")
        await rig.announcer.removed(roots[2], [])
        await rig.announcer.added(roots[0])
        await trio.sleep(2)
    assert "made tomorrow" in caplog.text
    assert "published: the disk is gone" in caplog.text
    assert "withdrawn: the disk is gone" in caplog.text


async def test_what_waits_is_bounded(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 3)
    async with running() as rig:
        await rig.announcer.added(*[await rig.file(number) for number in range(5)])
        await trio.sleep(2)
        assert [len(batch) for batch in rig.publisher.batches] == [3]
    assert "metadata of 2 files is not published" in caplog.text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.JPG", "image/jpeg"),
        ("b.tar.gz", "application/x-tar"),
        ("noend", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_media_types(name: str, expected: str) -> None:
    assert media_type(name) == expected
