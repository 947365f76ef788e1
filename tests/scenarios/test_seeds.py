"""The scenarios that seeds 001 and 002 name, with whole nodes over loopback TCP."""

from __future__ import annotations

from pathlib import Path

import trio

from chiral.kad.key import KadKey
from chiral.node.node import Node
from tests.scenarios.swarm import DEADLINE_S, add, get, providers, random_file, running, several, sha256_of

MIB_BYTES = 1 << 20


async def test_two_node_transfer(tmp_path: Path) -> None:
    """Seed 001: 1 MiB uploaded on one node is downloaded by another that knows only it."""
    original = random_file(tmp_path / "original", MIB_BYTES)
    async with running(tmp_path / "up") as uploader, running(tmp_path / "down", uploader) as downloader:
        added = await add(uploader, original)
        assert (added.size, added.chunks) == (MIB_BYTES, 4)
        assert await get(downloader, added.root, tmp_path / "copy") == 1
    assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def test_provide_and_find(tmp_path: Path) -> None:
    """Seed 002: of three nodes one provides a key, and both others find it."""
    async with running(tmp_path / "first") as first, several(tmp_path, 2, first) as (provider, seeker):
        added = await add(provider, random_file(tmp_path / "f", 1000))
        for node in (first, seeker):
            assert provider.peer_id in await providers(node, added.root)
        assert provider.peer_id not in await providers(provider, added.root), "a node does not find itself"


async def test_bootstrap(tmp_path: Path) -> None:
    """Seed 002: five nodes that know a bootstrap node alone all discover each other."""
    async with running(tmp_path / "bootstrap") as bootstrap, several(tmp_path, 5, bootstrap) as nodes:
        for node in nodes:
            for other in (bootstrap, *nodes):
                if other is not node:
                    await _discovers(node, other)


async def _discovers(node: Node, other: Node) -> None:
    with trio.fail_after(DEADLINE_S):
        found = await node.routing.find_peer(other.peer_id)
    assert found is not None, f"{node.peer_id.short} does not find {other.peer_id.short}"
    assert set(found.addrs) & set(other.connections.listen_addrs())


async def test_peer_discovery(tmp_path: Path) -> None:
    """Seed 002: each of ten nodes finds the others, nearest to a key first."""
    async with running(tmp_path / "first") as first, several(tmp_path, 9, first) as rest:
        everybody = {node.peer_id: node for node in (first, *rest)}
        for node in everybody.values():
            for key in (node.peer_id.raw, b"some key", b"\x12\x20" + bytes(32)):
                with trio.fail_after(DEADLINE_S):
                    closest = [info.peer for info in await node.routing.closest_peers(key)]
                target = KadKey.of(key)
                expected = sorted(
                    everybody.keys() - {node.peer_id}, key=lambda peer: target.distance(KadKey.of(peer.raw))
                )
                assert closest == expected
