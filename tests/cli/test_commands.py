"""The other commands: who, whom, the DHT, blocks, figures, configuration."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Running
from tests.fakes.node import SERVER_PEER
from tests.fakes.swarm import OTHER_PEER

UNKNOWN = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"


def test_id(cli: Cli, way: list[str]) -> None:
    assert cli("id", *way).lines == [str(SERVER_PEER), f"  /ip4/127.0.0.1/tcp/4001/p2p/{SERVER_PEER}"]
    assert cli("id", *way, "--json").json[0]["peer_id"] == str(SERVER_PEER)


def test_peers(cli: Cli, way: list[str]) -> None:
    (line,) = cli("peers", *way).lines
    assert line.split()[:3] == [str(OTHER_PEER), "outbound", "/ip4/127.0.0.1/tcp/4001"]
    assert "1.5 ms" in line
    assert cli("peers", *way, "--json").json[0]["agent"] == "fake/1"


def test_connect(cli: Cli, way: list[str]) -> None:
    addr = f"/ip4/127.0.0.1/tcp/4001/p2p/{OTHER_PEER}"
    assert cli("connect", *way, addr).lines == [str(OTHER_PEER)]
    assert cli("connect", *way, addr, "--json").json[0]["peer_id"] == str(OTHER_PEER)
    done = cli("connect", *way, "nonsense")
    assert done.code == 2
    assert "is not a multiaddr" in done.err


def test_dht_values(cli: Cli, way: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("dht", "put", *way, "metadata:a?b/c", "a value").lines == ["2 of 3 peers"]
    assert cli("dht", "get", *way, "metadata:a?b/c").out == b"a value"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\x00")))
    assert cli("dht", "put", *way, "metadata:x", "-", "--json").json[0]["stored"] == 2
    assert cli("dht", "get", *way, "metadata:x").out == b"\xff\x00"
    assert cli("dht", "get", *way, "metadata:none").code == 3
    assert cli("dht", "put", *way, "other:x", "v").code == 2


def test_dht_records_in_full(cli: Cli, way: list[str]) -> None:
    cli("dht", "put", *way, "metadata:a", "a value")
    (found,) = cli("dht", "get", *way, "metadata:a", "--quorum", "majority", "--json").json
    assert found["best"] == {"value": b"a value".hex(), "size": 7, "metadata": None}
    assert (found["answers"], found["needed"], found["reached"], len(found["others"])) == (2, 2, True, 1)
    assert cli("dht", "get", *way, "metadata:none", "--json").code == 3
    assert cli("dht", "get", *way, "metadata:a", "--quorum", "some").code == 2


def test_a_put_that_too_few_took(cli: Cli, way: list[str]) -> None:
    done = cli("dht", "put", *way, "metadata:x", "v", "--quorum", "all")
    assert done.code == 1
    assert "2 of 3 peers took the record, 3 were wanted" in done.err


def test_the_public_key_of_a_peer(cli: Cli, way: list[str]) -> None:
    key = cli("dht", "put", *way, f"/pk/{OTHER_PEER}", "v", "--json").json[0]["key"]
    assert bytes.fromhex(key) == b"/pk/" + OTHER_PEER.raw
    assert cli("dht", "get", *way, f"/pk/{OTHER_PEER}").out == b"v"
    assert cli("dht", "put", *way, "/pk/nobody", "v", "--json").json[0]["key"] == b"/pk/nobody".hex()


def test_blocks(cli: Cli, way: list[str], node: Running, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"a block")
    assert cli("block", "put", *way, tmp_path / "in").lines == [node.held["block"]]
    assert cli("block", "put", *way, tmp_path / "in", "--json").json[0]["new"] is False
    assert cli("block", "get", *way, node.held["block"]).out == b"a block"
    assert cli("block", "get", *way, node.held["block"], "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out").read_bytes() == b"a block"
    assert cli("block", "get", *way, node.held["block"], "-o", tmp_path / "out").code == 1
    assert cli("block", "get", *way, node.held["block"], "-o", tmp_path / "out", "-f").code == 0
    assert cli("block", "stat", *way, node.held["block"], "--json").json == [
        {"cid": node.held["block"], "size": 7, "codec": "raw"}
    ]
    assert ["size", "7"] in [line.split() for line in cli("block", "stat", *way, node.held["block"]).lines]


def test_blocks_from_stdin_and_of_other_codecs(cli: Cli, way: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a node")))
    assert cli("block", "put", *way, "-", "--codec", "dag-pb").lines[0].startswith("bafybei")


def test_faults_of_blocks(cli: Cli, way: list[str], tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes((2 << 20) + 1))
    assert cli("block", "put", *way, tmp_path / "missing").code == 1
    assert cli("block", "put", *way, tmp_path / "big").code == 2
    assert cli("block", "put", *way, tmp_path / "big", "--codec", "nope").code == 2
    assert cli("block", "get", *way, UNKNOWN).code == 3
    assert cli("block", "stat", *way, UNKNOWN).code == 3
    assert cli("block", "get", *way, UNKNOWN, "-o", tmp_path).code == 2


def test_the_configuration_of_the_running_node(cli: Cli, node: Running) -> None:
    done = cli("config", "show", "--data", node.data_dir, "--json")
    values = {value["key"]: value for value in done.json}
    assert values["data_dir"]["value"] == str(node.data_dir)
    assert values["host.max_connections"] == {"key": "host.max_connections", "value": 1024, "origin": "default"}
    assert any(
        line.split() == ["routing.k", "20", "default"] for line in cli("config", "show", "--data", node.data_dir).lines
    )


def test_the_configuration_that_a_node_would_start_with(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[host]\nmax_dials = 3\n")
    values = {value["key"]: value for value in cli("config", "show", "--data", tmp_path, "--json").json}
    assert values["host.max_dials"] == {"key": "host.max_dials", "value": 3, "origin": str(tmp_path / "config.toml")}
    (tmp_path / "config.toml").write_text("[host]\nmax_dails = 3\n")
    done = cli("config", "show", "--data", tmp_path)
    assert done.code == 2
    assert "did you mean host.max_dials?" in done.err


def test_shutdown_ends_the_node(cli: Cli, own_node: Running) -> None:
    assert cli("shutdown", "--data", own_node.data_dir).code == 0
    while (own_node.data_dir / "api.json").exists():
        os.sched_yield()
    assert cli("id", "--data", own_node.data_dir).code == 5


def test_json_is_one_value_a_line(cli: Cli, way: list[str]) -> None:
    for line in cli("ls", *way, "--json").lines:
        assert isinstance(json.loads(line), dict)
