"""Archives between whole nodes: written by one that has to fetch, taken in by another; an import that is killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from chiral.block.cid import CID
from chiral.car.writer import encode_header, section
from chiral.cli.client import Client, client_for
from chiral.dag.file_info import FileInfo
from chiral.errors import ChiralError
from chiral.files.archive_results import ExportOptions
from chiral.files.entries import file_record
from chiral.node.node import Node
from tests.fakes.archives import file_blocks
from tests.scenarios.swarm import DEADLINE_S, add, config, get, provided_by, random_file, running, sha256_of
from tests.scenarios.test_killed import child

SIZE_BYTES = 12 << 20
OFFLINE = ExportOptions(offline=True)
CHUNK_BYTES = 256 << 10


async def export(node: Node, cid: CID, target: Path, options: ExportOptions) -> CID:
    with trio.fail_after(2 * DEADLINE_S):
        return (await node.archives.export_to(cid, target, options, overwrite=False)).root


async def test_an_archive_of_what_another_node_holds_goes_into_a_third(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", SIZE_BYTES)
    async with (
        running(tmp_path / "a") as first,
        running(tmp_path / "b", first) as second,
        running(tmp_path / "c") as third,
    ):
        added = await add(first, original)
        await provided_by(second, added.root, first)
        here = await export(first, added.root, tmp_path / "here.car", OFFLINE)
        there = await export(second, added.root, tmp_path / "there.car", ExportOptions())
        assert here == there == file_blocks(original.read_bytes(), CHUNK_BYTES)[0]
        assert sha256_of(tmp_path / "here.car") == sha256_of(tmp_path / "there.car")
        report = await third.archives.import_file(tmp_path / "there.car", name="copy")
        assert [(root.cid, root.whole, root.pinned) for root in report.roots] == [(here, True, True)]
        assert await get(third, here, tmp_path / "copy") == 0
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def test_what_was_imported_outlives_a_collection_and_a_restart(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", SIZE_BYTES // 4)
    async with running(tmp_path / "a") as first:
        added = await add(first, original)
        root = await export(first, added.root, tmp_path / "out.car", OFFLINE)
    async with running(tmp_path / "b") as second:
        await second.archives.import_file(tmp_path / "out.car")
        blocks = (await second.blockstore.stats()).blocks
    async with Node(config(tmp_path / "b")) as second:
        assert (await second.archives.stat(root, OFFLINE)).missing.count == 0
        assert (await second.blockstore.stats()).blocks == blocks
        record = await second.catalogue.get(root)
        assert record is not None
        assert (record.name, record.size, record.chunks) == ("out", SIZE_BYTES // 4, SIZE_BYTES // 4 // CHUNK_BYTES)


async def test_a_collection_in_the_middle_of_an_import_takes_nothing_of_it(tmp_path: Path) -> None:
    root, blocks = file_blocks(random_file(tmp_path / "original", SIZE_BYTES).read_bytes(), CHUNK_BYTES)
    archive = encode_header([root]) + b"".join(bytes(piece) for block in blocks for piece in section(block))
    async with running(tmp_path / "a") as node:
        await node.blockstore.put_many(blocks[:8])
        collected = 0

        async def parts() -> AsyncIterator[bytes]:
            nonlocal collected
            for at in range(0, len(archive), CHUNK_BYTES):
                if at == 40 * CHUNK_BYTES:
                    await stored(node, 16)
                    async for progress in node.collector.collect():
                        collected = progress.freed_blocks
                yield archive[at : at + CHUNK_BYTES]

        with trio.fail_after(2 * DEADLINE_S):
            report = await node.archives.import_stream(parts())
        assert [(kept.whole, kept.pinned) for kept in report.roots] == [(True, True)]
        assert (collected, report.known) == (0, 8)
        assert (await node.archives.stat(root, OFFLINE)).missing.count == 0


async def stored(node: Node, count: int) -> None:
    """Return once so many blocks are here."""
    while (await node.blockstore.stats()).blocks < count:
        await trio.lowlevel.checkpoint()


async def test_an_import_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", SIZE_BYTES)
    async with running(tmp_path / "a") as first:
        added = await add(first, original)
        root = await export(first, added.root, tmp_path / "out.car", OFFLINE)
    archive = (tmp_path / "out.car").read_bytes()
    async with child(tmp_path / "b") as node:
        client = client_for(tmp_path / "b")

        def parts() -> Iterator[bytes]:
            for at in range(0, SIZE_BYTES * 3 // 4, CHUNK_BYTES):
                yield archive[at : at + CHUNK_BYTES]
            _wait_for_blocks(client)
            node.process.kill()

        with pytest.raises(ChiralError):
            await trio.to_thread.run_sync(partial(client.upload, "/dag/import", parts()))
    async with Node(config(tmp_path / "b")) as second:
        assert await second.catalogue.count() == 0
        held = (await second.blockstore.stats()).blocks
        report = await second.archives.import_file(tmp_path / "out.car")
        assert (report.known, report.roots[0].cid, report.roots[0].whole) == (held, root, True)
        assert held > 0
        assert await get(second, root, tmp_path / "copy") == 0
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


def _wait_for_blocks(client: Client) -> None:
    while not client.call("GET", "/stats")["blocks"]:
        pass


async def test_the_chiral_root_of_a_file_without_a_known_dag(tmp_path: Path) -> None:
    data = random_file(tmp_path / "original", 1 << 20).read_bytes()
    root, blocks = file_blocks(data, CHUNK_BYTES)
    leaves = [block for block in blocks if len(block) == CHUNK_BYTES]
    info = FileInfo.of("old", len(data), [leaf.cid for leaf in leaves], 1)
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        await first.blockstore.put_many(leaves)
        await first.catalogue.put(file_record(info, None, 1), info.to_json())
        await first.provide(info.root_cid)
        assert await export(second, info.root_cid, tmp_path / "out.car", ExportOptions()) == root
