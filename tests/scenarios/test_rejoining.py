"""Whole nodes that join and rejoin a swarm: by a list that is partly useless, and by what the last run left behind."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest
import trio

from chiral.config.model import NodeConfig
from chiral.interface.peer import PeerId
from chiral.node.node import Node
from tests.scenarios.swarm import DEADLINE_S, add, config, get, random_file, running, several, sha256_of

GONE = "12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"


async def in_table(node: Node, *peers: PeerId) -> None:
    """Return once all of `peers` are in the node's routing table."""
    with trio.fail_after(DEADLINE_S):
        while not set(peers) <= {entry.peer for entry in node.routing.table()}:  # noqa: ASYNC110 (no event tells it)
            await trio.sleep(0.02)


@pytest.mark.parametrize("bootstrap", [(), (f"/ip4/127.0.0.1/tcp/1/p2p/{GONE}",)])
async def test_a_restart_without_a_living_bootstrap_peer_rejoins_by_the_saved_table(
    tmp_path: Path, bootstrap: tuple[str, ...]
) -> None:
    async with running(tmp_path / "first") as first, several(tmp_path, 3, first) as others:
        peers = [node.peer_id for node in (first, *others)]
        async with running(tmp_path / "back", first) as node:
            await in_table(node, *peers)
        original = random_file(tmp_path / "original", 100_000)
        added = await add(others[2], original)
        async with Node(config(tmp_path / "back", *bootstrap)) as node:
            await in_table(node, *peers)
            await get(node, added.root, tmp_path / "copy")
        assert sha256_of(tmp_path / "copy") == sha256_of(original)


async def test_useless_bootstrap_entries_are_named_and_the_rest_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead_port = taken.getsockname()[1]
    async with running(tmp_path / "first") as first, running(tmp_path / "second") as second:
        where, _, _ = first.listen_addrs_text()[0].partition("/p2p/")
        gone = PeerId.parse(GONE)
        wrong = PeerId.parse("QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN")
        given = [
            f"/ip4/127.0.0.1/tcp/{dead_port}/p2p/{gone}",
            f"{where}/p2p/{wrong}",
            "/ip4/127.0.0.1/tcp/no",
            second.listen_addrs_text()[0],
        ]
        with caplog.at_level(logging.WARNING):
            async with Node(NodeConfig.model_validate(config(tmp_path / "n", *given).model_dump())) as node:
                await in_table(node, second.peer_id)
                with trio.fail_after(DEADLINE_S):
                    await node._joined.wait()
        lines = [line for line in caplog.messages if "bootstrap" in line]
        assert len(lines) == 3
        assert [line for line in lines if "/ip4/127.0.0.1/tcp/no" in line and "not a multiaddr" in line]
        assert [line for line in lines if str(gone) in line and "refused" in line]
        assert [line for line in lines if str(wrong) in line and "somebody else" in line]
