"""A standing bootstrap list that went stale, in a process as users run it: each bad entry is named, the rest used."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from chiral.block.cid import CID
from chiral.host.identity import new_identity, peer_id_of
from chiral.node.node import Node
from interop.child import PeerError
from interop.python_peer import CommandError, PythonPeer, open_python_peer
from tests.scenarios.swarm import DEADLINE_S, running

CONTENT = CID.of(b"found through the one good entry")
MALFORMED = ("/ip4/127.0.0.1/tcp/4101/p2p/not-a-peer", "/ip4/256.0.0.1/tcp/4101", "nonsense")


def dead_address() -> str:
    """A port nobody listens on, with an id nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer_id_of(new_identity())}"


def wrong_id(node: Node) -> str:
    """The node's address under an id that is not its own."""
    address = node.listen_addrs_text()[0].rpartition("/p2p/")[0]
    return f"{address}/p2p/{peer_id_of(new_identity())}"


def with_list(folder: Path, bootstrap: Sequence[str]) -> Path:
    """The folder of a process whose node has the list in its configuration file."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "config.toml").write_text(f"bootstrap = {json.dumps(list(bootstrap))}\n", encoding="utf-8")
    return folder


async def test_the_good_entry_is_used_and_each_bad_one_named(tmp_path: Path) -> None:
    async with running(tmp_path / "good") as good, running(tmp_path / "other", good) as other:
        await other.provide(CONTENT)
        dead, wrong = dead_address(), wrong_id(good)
        folder = with_list(tmp_path / "node", [*MALFORMED, dead, wrong, good.listen_addrs_text()[0]])
        async with open_python_peer(folder, (), ()) as peer:
            assert await finds(peer, CONTENT) == [str(other.peer_id)]
            bad = [dead.rpartition("/")[2], wrong.rpartition("/")[2], *MALFORMED]
            await named_in_log(folder / "log", bad)
            assert "Traceback" not in read(folder / "log")
            assert str(good.peer_id) not in read(folder / "log"), "nothing is said against the good one"


async def test_with_nothing_but_bad_entries_the_node_runs_and_can_be_connected_by_hand(tmp_path: Path) -> None:
    async with running(tmp_path / "good") as good:
        await good.provide(CONTENT)
        dead = dead_address()
        folder = with_list(tmp_path / "node", [*MALFORMED, dead])
        async with open_python_peer(folder, (), ()) as peer:
            await named_in_log(folder / "log", [dead.rpartition("/")[2], *MALFORMED])
            await peer.connect(good.listen_addrs_text()[0])
            assert await finds(peer, CONTENT) == [str(good.peer_id)]


async def test_a_malformed_address_that_is_typed_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    with pytest.raises(PeerError, match="not-a-peer"):
        async with open_python_peer(tmp_path / "node", MALFORMED[:1], ()):
            pass


def read(log: Path) -> str:
    """All that the process has said so far."""
    return log.read_text(encoding="utf-8")


async def finds(peer: PythonPeer, cid: CID) -> list[str]:
    """The providers found, asked again until there are any: joining goes on after a node is ready."""
    with trio.fail_after(DEADLINE_S):
        while True:
            try:
                return await peer.providers(str(cid))
            except CommandError:
                await trio.sleep(0.1)


async def named_in_log(log: Path, names: Sequence[str]) -> None:
    """Return once the log has all the names; raises `AssertionError` with those that are missing."""
    missing = list(names)
    with trio.move_on_after(DEADLINE_S):
        while missing := [name for name in names if name not in read(log)]:  # noqa: ASYNC110
            await trio.sleep(0.1)
    assert not missing
