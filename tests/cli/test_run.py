"""`chiral run`: the real node as a process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chiral.api.server import Ready
from tests.cli.conftest import ROOT, Cli

LOOPBACK = ["--listen", "/ip4/127.0.0.1/tcp/0"]


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "chiral", "run", "--data", str(folder), *LOOPBACK, *arguments]


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    arguments = ("--json", *arguments)
    with subprocess.Popen(command(folder, *arguments), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_two_nodes_share_a_file(cli: Cli, tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "file.bin").write_bytes(data)
    with running(tmp_path / "one") as (first, ready):
        assert list(ready) == ["event", "peer_id", "addrs", "api"]
        assert ready["event"] == "ready"
        assert ready["addrs"][0].endswith(f"/p2p/{ready['peer_id']}")
        with running(tmp_path / "two", "--bootstrap", ready["addrs"][0]) as (second, _):
            added = cli("add", "--data", tmp_path / "one", tmp_path / "file.bin", "--json").json[0]
            assert (added["size"], added["chunks"]) == (len(data), 5)
            got = cli("get", "--data", tmp_path / "two", added["cid"], "-o", tmp_path / "got", "--timeout", "30")
            assert got.code == 0, got.err
            assert (tmp_path / "got").read_bytes() == data
            assert cli("dht", "providers", "--data", tmp_path / "two", added["cid"]).code == 0
            for command_line in (["stats"], ["dht", "stats"], ["peers"], ["ls", added["cid"]], ["id"]):
                assert cli(*command_line, "--data", tmp_path / "two").code == 0
            second.send_signal(signal.SIGINT)
            assert second.wait(10) == 0
        first.send_signal(signal.SIGTERM)
        assert first.wait(10) == 0


def test_a_data_directory_in_use(tmp_path: Path) -> None:
    with running(tmp_path / "node"):
        done = subprocess.run(
            command(tmp_path / "node"), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert (tmp_path / "node" / "api.json").exists()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments in (["--api", f"127.0.0.1:{port}"], ["--listen", f"/ip4/127.0.0.1/tcp/{port}"]):
            done = subprocess.run(
                command(tmp_path / "node", *arguments),
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert done.returncode == 1
            assert str(port) in done.stderr
            assert done.stderr.startswith("error: ")
            assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--api", "0.0.0.0:0"], "allow_remote"),
        (["--api", "nonsense"], "HOST:PORT"),
        (["--profile", "turbo"], "no profile 'turbo'"),
        (["--bootstrap", "/ip4/127.0.0.1/tcp/1"], "which peer"),
        (["--bootstrap", "nonsense"], "not a multiaddr"),
        (["--kad-protocol", "no slash"], "routing.protocols"),
    ],
)
def test_options_that_cannot_be_used(cli: Cli, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = cli("run", "--data", tmp_path, *arguments)
    assert (done.code, done.out) == (2, b"")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_options_become_settings(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    async def serve(config: Any, on_ready: Any, *, origins: Any) -> None:
        seen.update(config=config, origins=origins)
        on_ready(Ready("peer", ["/ip4/127.0.0.1/tcp/1/p2p/peer"], "http://127.0.0.1:1", tmp_path / "api.sock"))

    monkeypatch.setattr("chiral.api.server.serve_node", serve)
    options = ["--profile", "bootstrap", "--api", "127.0.0.1:0", "--api-allow-remote", "--log-level", "error"]
    options += ["--kad-protocol", "/a/kad/1.0.0", "--kad-protocol", "/b/kad/1.0.0", "--log-json", *LOOPBACK]
    options += ["--announce", "roots"]
    done = cli("run", "--data", tmp_path, *options)
    assert done.code == 0
    assert done.lines[:2] == ["peer peer", "listening on /ip4/127.0.0.1/tcp/1/p2p/peer"]
    config = seen["config"]
    assert config.data_dir == tmp_path
    assert config.host.listen == ("/ip4/127.0.0.1/tcp/0",)
    assert config.announce == "roots"
    assert config.routing.protocols == ("/a/kad/1.0.0", "/b/kad/1.0.0")
    assert (config.log.level, config.log.as_json, config.profile, config.api.allow_remote) == (
        "error",
        True,
        "bootstrap",
        True,
    )
    assert seen["origins"]["host.listen"] == "command line"
    assert cli("run", "--data", tmp_path, "--json").json[0]["event"] == "ready"
