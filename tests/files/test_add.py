"""Adding: every block stored before the file is in the catalogue, in order, within bounded memory."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chiral.block.block import Block
from chiral.dag.directory import Metadata
from chiral.dag.file_info import FileInfo
from chiral.errors import FileAccessError, StoreError, StoreFullError
from chiral.files.cutting import BATCH_BYTES, Batch, Cutting
from chiral.files.source import StreamSource, open_path
from tests.fakes.memory_store import MemoryBlockstore
from tests.files.rig import CHUNK_BYTES, Content, Rig

PART_BYTES = 1 << 17


async def stream(data: bytes, piece: int = 5000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), piece):
        await trio.lowlevel.checkpoint()
        yield data[at : at + piece]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 16 * CHUNK_BYTES, 1_000_000])
async def test_what_is_added_is_here(size: int) -> None:
    rig, content = Rig(), Content(size, name="name.txt")
    progress: list[tuple[int, int | None]] = []
    added = await rig.adder.add(
        StreamSource(stream(content.data)), name="name.txt", progress=lambda *step: progress.append(step)
    )
    assert (added.root, added.name, added.size, added.chunks) == (content.root, "name.txt", size, len(content.blocks))
    assert added.new_blocks == await rig.held(content) == len(content.blocks)
    manifest = await rig.catalogue.manifest(content.root)
    assert manifest is not None
    assert FileInfo.parse(manifest).chunk_cids == content.info.chunk_cids
    record = await rig.catalogue.get(content.root)
    assert record is not None
    assert record.created_at == record.added_at > 0
    assert progress == sorted(progress)
    assert not size or progress[-1] == (size, None)


async def test_blocks_keep_their_order_however_the_writes_end() -> None:
    class UnevenStore(MemoryBlockstore):
        async def put_many(self, blocks: Iterable[Block]) -> int:
            await trio.sleep(random.random() / 500)
            return await super().put_many(blocks)

    content = Content(300 * CHUNK_BYTES)
    added = await Rig(store=UnevenStore()).adder.add(StreamSource(stream(content.data)), name="n", progress=None)
    assert added.root == content.root


async def test_equal_blocks_are_stored_once() -> None:
    rig = Rig()
    added = await rig.adder.add(StreamSource(stream(bytes(40 * CHUNK_BYTES))), name="zeros", progress=None)
    assert (added.chunks, added.new_blocks) == (40, 1)


async def test_a_path_tells_its_size_to_who_watches(tmp_path: Path) -> None:
    rig = Rig()
    (tmp_path / "f").write_bytes(os.urandom(100_000))
    progress: list[tuple[int, int | None]] = []
    async with open_path(tmp_path / "f") as source:
        await rig.adder.add(source, name="f", progress=lambda *step: progress.append(step))
    assert progress[-1] == (100_000, 100_000)


async def test_a_store_that_is_slow_bounds_what_is_read_ahead() -> None:
    class BlockedStore(MemoryBlockstore):
        opened = trio.Event()

        async def put_many(self, blocks: Iterable[Block]) -> int:
            await self.opened.wait()
            return await super().put_many(blocks)

    bound = BATCH_BYTES // PART_BYTES * 5  # three batches being written, one waiting, one in hand
    read = 0
    reached = trio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 200:
            await trio.lowlevel.checkpoint()
            read += 1
            if read == bound:
                reached.set()
            yield random.randbytes(PART_BYTES)

    store = BlockedStore()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: Rig(store=store).adder.add(StreamSource(endless()), name="n", progress=None))
        await reached.wait()
        await wait_all_tasks_blocked(0.05)
        assert read == bound
        store.opened.set()
    assert read == 200


async def test_a_full_store_leaves_no_file() -> None:
    rig = Rig()

    class FillingStore(MemoryBlockstore):
        async def put_many(self, blocks: Iterable[Block]) -> int:
            if len(self._blocks) > 50:
                self.fault = StoreFullError("no space left")
            return await super().put_many(blocks)

    rig = Rig(store=FillingStore())
    with pytest.raises(StoreFullError):
        await rig.adder.add(StreamSource(stream(os.urandom(6_000_000))), name="n", progress=None)
    assert await rig.catalogue.count() == 0


async def test_a_catalogue_that_fails_leaves_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()

    async def refuse(*_: object) -> None:
        raise StoreError("failed")

    monkeypatch.setattr(rig.catalogue, "put", refuse)
    with pytest.raises(StoreError):
        await rig.adder.add(StreamSource(stream(bytes(10))), name="n", progress=None)
    assert await rig.catalogue.count() == 0


async def test_a_source_that_breaks_leaves_no_file() -> None:
    class Breaking:
        size = None

        def metadata(self, *, mode: bool, mtime: bool) -> Metadata:
            return Metadata()

        async def batches(self, cutting: Cutting) -> AsyncGenerator[Batch, None]:
            for number in range(100):
                if number == 50:
                    raise FileAccessError("got shorter while it was read")
                yield Batch([Block.of(bytes([number]))], [])

    rig = Rig()
    with pytest.raises(FileAccessError):
        await rig.adder.add(Breaking(), name="n", progress=None)
    assert await rig.catalogue.count() == 0


async def test_an_add_that_is_cancelled_leaves_no_file_and_ends_its_source() -> None:
    ended = trio.Event()

    async def slow() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(CHUNK_BYTES)
                await trio.sleep(0.001)
        finally:
            ended.set()

    rig = Rig()
    with trio.move_on_after(0.1):
        await rig.adder.add(StreamSource(slow()), name="n", progress=None)
    assert ended.is_set()
    assert await rig.catalogue.count() == 0


async def test_two_adds_of_the_same_bytes_at_once() -> None:
    rig, content = Rig(), Content(200_000)
    async with trio.open_nursery() as nursery:
        for name in ("a", "b"):

            async def add(name: str = name) -> None:
                await rig.adder.add(StreamSource(stream(content.data)), name=name, progress=None)

            nursery.start_soon(add)
    assert await rig.catalogue.count() == 1
    assert await rig.held(content) == len(content.blocks)
