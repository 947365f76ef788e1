"""Files of every size from one, several and partial providers, between whole nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from chiral.block.cid import CID, DAG_CBOR
from chiral.dag.file_info import FileInfo
from chiral.errors import InvalidCidError, NoProvidersError
from chiral.interface.streams import Stream
from chiral.node.node import Node
from chiral.transfer.settings import TransferSettings
from tests.scenarios.swarm import (
    add,
    config,
    get,
    honest,
    names,
    provided_by,
    providers,
    random_file,
    running,
    serve_by,
    several,
    sha256_of,
)

KIB_BYTES = 1 << 10
MIB_BYTES = 1 << 20


async def test_every_size(tmp_path: Path) -> None:
    """0 B, 1 B, 256 KiB, 256 KiB + 1 and 10 MiB."""
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        for size in (0, 1, 256 * KIB_BYTES, 256 * KIB_BYTES + 1, 10 * MIB_BYTES):
            original = random_file(tmp_path / f"original{size}", size, seed=size)
            added = await add(first, original)
            await get(second, added.root, tmp_path / f"copy{size}")
            assert sha256_of(tmp_path / f"copy{size}") == sha256_of(original)
            record = await second.files.record(added.root)
            assert record is not None
            assert (record.name, record.size) == (original.name, size)


async def slowly(stream: Stream, content: bytes) -> None:
    """So that no one provider brings the whole before the others are found."""
    await trio.sleep(0.03)
    await honest(stream, content)


async def test_three_providers_at_once(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", 10 * MIB_BYTES)
    async with running(tmp_path / "first") as first, several(tmp_path, 3, first) as sources:
        for node in sources:
            added = await add(node, original)
            serve_by(node, slowly)
        assert await providers(first, added.root) == {node.peer_id for node in sources}
        async with running(tmp_path / "down", first, transfer=TransferSettings(max_in_flight=1)) as node:
            assert await get(node, added.root, tmp_path / "copy") == 3
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def test_blocks_of_one_file_from_two_halves(tmp_path: Path) -> None:
    """Neither provider holds the whole: one lost blocks, another has them without knowing the file."""
    original = random_file(tmp_path / "original", 5 * MIB_BYTES)
    async with running(tmp_path / "first") as first, several(tmp_path, 2, first) as (one, two):
        for node in (one, two):
            added = await add(node, original)
        chunks = [cid for cid, _ in await one.files.chunks(added.root)]
        await one.blockstore.delete_many(chunks[:10])
        await two.blockstore.delete_many(chunks[10:])
        async with running(tmp_path / "down", first) as node:
            assert await get(node, added.root, tmp_path / "copy") == 2
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def test_who_fetched_provides(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", MIB_BYTES)
    async with running(tmp_path / "first") as first, running(tmp_path / "down", first) as fetcher:
        async with running(tmp_path / "up", first) as source:
            added = await add(source, original)
            await get(fetcher, added.root, tmp_path / "copy")
            await provided_by(first, added.root, fetcher)
        async with running(tmp_path / "third", first) as third:
            assert await get(third, added.root, tmp_path / "again") == 1
    assert sha256_of(tmp_path / "again") == sha256_of(original)


async def test_a_get_just_after_the_start(tmp_path: Path) -> None:
    """The node has not joined the swarm yet: that is waited for, instead of finding nobody."""
    original = random_file(tmp_path / "original", MIB_BYTES)
    async with running(tmp_path / "first") as first, running(tmp_path / "up", first) as source:
        added = await add(source, original)
        async with Node(config(tmp_path / "down", first.listen_addrs_text()[0])) as node:
            assert await get(node, added.root, tmp_path / "copy") == 1
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def test_many_gets_of_one_file_at_once(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", 3 * MIB_BYTES)
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        added = await add(first, original)
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(get, second, added.root, tmp_path / f"copy{number}")
        assert {sha256_of(tmp_path / f"copy{number}") for number in range(8)} == {sha256_of(original)}


async def test_a_block_and_a_manifest_by_their_cids(tmp_path: Path) -> None:
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        added = await add(first, random_file(tmp_path / "f", MIB_BYTES))
        manifest = await second.fetch_block(added.root, 10.0)
        info = FileInfo.parse(manifest)
        assert info.verify(added.root)
        block = await second.fetch_block(info.chunk_cids[2], 10.0)
        assert info.chunk_cids[2].matches(block)
        assert await second.blockstore.has_many(info.chunk_cids) == [False, False, True, False]


class TestNothingToGet:
    async def test_an_unknown_cid_has_no_providers(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
            with pytest.raises(NoProvidersError):
                await get(second, CID.of(b"nobody has this"), tmp_path / "out" / "copy", timeout_s=10.0)
        assert names(tmp_path / "out") == []

    async def test_a_node_alone_has_no_providers(self, tmp_path: Path) -> None:
        async with running(tmp_path / "a") as node:
            with pytest.raises(NoProvidersError):
                await get(node, CID.of(b"nobody has this"), tmp_path / "copy")

    @pytest.mark.parametrize(
        "cid",
        [CID(1, 0x55, b"\x99\x01\x20" + bytes(32)), CID(1, 0x9999, b"\x12\x20" + bytes(32)), CID.of(b"n", DAG_CBOR)],
        ids=["unknown hash", "unknown codec", "not a file"],
    )
    async def test_a_cid_that_cannot_be_a_files(self, tmp_path: Path, cid: CID) -> None:
        async with running(tmp_path / "a") as node:
            with pytest.raises(InvalidCidError):
                await get(node, cid, tmp_path / "copy")
