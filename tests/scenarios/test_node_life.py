"""A node's start, restart and end, and what local trouble does to it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import trio

from chiral.block.block import Block
from chiral.clock import TrioClock
from chiral.config.model import NodeConfig
from chiral.errors import (
    FileAccessError,
    IntegrityError,
    ListenError,
    StoreFullError,
    StoreLockedError,
)
from chiral.host.settings import HostSettings
from chiral.node.node import Node
from chiral.store.settings import StoreSettings
from tests.scenarios.swarm import add, config, get, names, providers, random_file, running, sha256_of

MIB_BYTES = 1 << 20


async def test_a_restart_keeps_identity_and_files_and_serves_again(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", 3 * MIB_BYTES)
    async with running(tmp_path / "a") as node:
        identity, added = node.peer_id, await add(node, original)
    async with running(tmp_path / "first") as first, running(tmp_path / "a", first) as node:
        assert node.peer_id == identity
        assert [record.root for record in await node.files.page()] == [added.root]
        with trio.fail_after(20):
            while identity not in await providers(first, added.root):  # noqa: ASYNC110 (announced after the start)
                await trio.sleep(0.02)
        async with running(tmp_path / "b", first) as other:
            assert await get(other, added.root, tmp_path / "copy") == 1
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def test_a_second_node_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path / "a") as node:
        with pytest.raises(StoreLockedError, match="in use by another node"):
            async with Node(config(tmp_path / "a")):
                pytest.fail("started")
        await add(node, random_file(tmp_path / "f", 1000))
    async with running(tmp_path / "a"):
        pass


async def test_a_port_in_use_is_named_and_the_directory_free_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}"
        blocked = NodeConfig(data_dir=tmp_path / "a", host=HostSettings(listen=(address,)))
        with pytest.raises(ListenError, match=address):
            async with Node(blocked):
                pytest.fail("started")
    async with Node(blocked) as node:
        assert node.listen_addrs_text() == [f"{address}/p2p/{node.peer_id}"]


async def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileAccessError):
        async with Node(config(tmp_path / "file" / "data")):
            pytest.fail("started")


async def test_a_bootstrap_address_that_is_none_stops_nobody(tmp_path: Path) -> None:
    async with Node(config(tmp_path / "a", "/ip4/127.0.0.1/tcp/1")) as node:
        assert node.listen_addrs_text()


async def test_a_bootstrap_peer_that_is_not_there_stops_nobody(tmp_path: Path) -> None:
    async with running(tmp_path / "a") as gone:
        address = gone.listen_addrs_text()[0]
    async with Node(config(tmp_path / "b", address)) as node:
        added = await add(node, random_file(tmp_path / "f", 1000))
        assert await get(node, added.root, tmp_path / "copy") == 0


async def test_a_joining_that_fails_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = trio.Event()

    async def refuse(*_: object) -> None:
        tried.set()
        raise FileAccessError("no entropy")

    monkeypatch.setattr("chiral.routing.kademlia.Kademlia.bootstrap", refuse)
    async with Node(config(tmp_path / "a")) as node:
        await tried.wait()
        await add(node, random_file(tmp_path / "f", 1000))


async def test_what_its_block_raises_comes_out_bare_and_all_is_closed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with running(tmp_path / "a"):
            raise ZeroDivisionError
    async with running(tmp_path / "a"):
        pass


async def test_ends_while_a_get_is_under_way(tmp_path: Path) -> None:
    """The node's tasks end first, then its connections, then its store; the get is told."""
    original = random_file(tmp_path / "original", 20 * MIB_BYTES)
    (tmp_path / "out").mkdir()
    async with running(tmp_path / "a") as first:
        added = await add(first, original)
        with trio.CancelScope() as scope:
            async with running(tmp_path / "b", first) as second:

                def cut(done: int, total: int | None) -> None:
                    scope.cancel()

                await second.files.save(
                    added.root, tmp_path / "out" / "copy", overwrite=False, timeout_s=10.0, progress=cut
                )
        assert scope.cancelled_caught
        assert names(tmp_path / "out") == []
        async with running(tmp_path / "b", first) as second:
            assert await second.files.page() == []
            await get(second, added.root, tmp_path / "copy")
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def test_a_get_that_is_cancelled_leaves_the_connection_usable(tmp_path: Path) -> None:
    original = random_file(tmp_path / "original", 20 * MIB_BYTES)
    (tmp_path / "out").mkdir()
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        added = await add(first, original)
        before = {info.since for info in second.connections.connections()}
        for _ in range(5):
            with trio.CancelScope() as scope:
                await second.files.save(
                    added.root,
                    tmp_path / "out" / "copy",
                    overwrite=False,
                    timeout_s=10.0,
                    progress=lambda done, total, scope=scope: scope.cancel(),  # type: ignore[misc]
                )
            assert scope.cancelled_caught
            assert names(tmp_path / "out") == []
        await get(second, added.root, tmp_path / "copy")
        assert {info.since for info in second.connections.connections()} == before
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def test_stats(tmp_path: Path) -> None:
    async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
        added = await add(first, random_file(tmp_path / "f", MIB_BYTES))
        await get(second, added.root, tmp_path / "copy")
        stats = await first.stats()
        assert (stats.files, stats.blocks, stats.peers) == (1, 5, 1), "four chunks and the node over them"
        assert MIB_BYTES < stats.block_bytes < MIB_BYTES + 1024
        assert stats.blocks_sent == 5
        assert stats.bytes_sent > MIB_BYTES
        assert stats.uptime_s >= 0
        results = await second.provide(added.root)
        assert len(results) == 2
    async with Node(config(tmp_path / "c"), clock=TrioClock()) as node:
        assert node.started_at >= 1_700_000_000


class TestLocalTrouble:
    async def test_a_full_store_takes_no_file_and_keeps_what_it_has(self, tmp_path: Path) -> None:
        small = config(tmp_path / "a", store=StoreSettings(durable=False, map_size_bytes=8 * MIB_BYTES))
        kept = random_file(tmp_path / "kept", MIB_BYTES)
        async with Node(small) as node:
            added = await add(node, kept)
            with pytest.raises(StoreFullError):
                await add(node, random_file(tmp_path / "big", 20 * MIB_BYTES, seed=2))
            assert [record.root for record in await node.files.page()] == [added.root]
            await get(node, added.root, tmp_path / "copy")
        assert sha256_of(tmp_path / "copy") == sha256_of(kept)

    async def test_a_get_into_a_full_store(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        async with running(tmp_path / "a") as first:
            added = await add(first, random_file(tmp_path / "big", 20 * MIB_BYTES))
            address = first.listen_addrs_text()[0]
            small = config(tmp_path / "b", address, store=StoreSettings(durable=False, map_size_bytes=8 * MIB_BYTES))
            async with Node(small) as node:
                with pytest.raises(StoreFullError):
                    await get(node, added.root, tmp_path / "out" / "copy")
                assert await node.files.page() == []
        assert names(tmp_path / "out") == []

    async def test_a_get_onto_a_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "out").mkdir()
        async with running(tmp_path / "a") as first, running(tmp_path / "b", first) as second:
            added = await add(first, random_file(tmp_path / "big", 20 * MIB_BYTES))
            write, written = os.write, 0

            def fill(descriptor: int, data: memoryview) -> int:
                nonlocal written
                written += len(data)
                if written > 10 * MIB_BYTES:
                    raise OSError(28, "No space left on device")
                return write(descriptor, data)

            monkeypatch.setattr("chiral.files.save.os.write", fill)
            with pytest.raises(FileAccessError, match=r"no space left on device \(free some space\)"):
                await get(second, added.root, tmp_path / "out" / "copy")
            monkeypatch.undo()
            assert names(tmp_path / "out") == []
            await get(second, added.root, tmp_path / "out" / "copy")

    async def test_an_existing_target_is_kept(self, tmp_path: Path) -> None:
        async with running(tmp_path / "a") as node:
            added = await add(node, random_file(tmp_path / "f", 1000))
            (tmp_path / "mine").write_bytes(b"mine")
            with pytest.raises(FileAccessError, match="exists already"):
                await get(node, added.root, tmp_path / "mine")
        assert (tmp_path / "mine").read_bytes() == b"mine"

    async def test_a_block_that_rotted_is_not_served_as_sound(self, tmp_path: Path) -> None:
        async with running(tmp_path / "a") as node:
            good = Block.of(b"sound")
            await node.blockstore.put_many([Block(good.cid, b"rotten")])
            with pytest.raises(IntegrityError):
                await node.fetch_block(good.cid, 1.0)

    async def test_removal_keeps_blocks_shared_with_another_file(self, tmp_path: Path) -> None:
        one = random_file(tmp_path / "one", MIB_BYTES)
        (tmp_path / "two").write_bytes(one.read_bytes()[: MIB_BYTES // 2] + bytes(100))
        async with running(tmp_path / "a") as node:
            first, second = await add(node, one), await add(node, tmp_path / "two")
            await node.files.remove(first.root)
            assert (await node.blockstore.stats()).blocks == 4, "two shared chunks, one of its own, the node over them"
            await get(node, second.root, tmp_path / "copy")
            await node.files.remove(second.root)
            assert (await node.blockstore.stats()).blocks == 0
        assert sha256_of(tmp_path / "copy") == sha256_of(tmp_path / "two")
