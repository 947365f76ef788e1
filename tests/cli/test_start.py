"""What the command line loads, and how it starts and fails."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from chiral.cli.commands import block, config, dht
from chiral.cli.lazy import LazyGroup
from chiral.cli.main import COMMANDS
from chiral.cli.main import cli as group
from tests.cli.conftest import ROOT, Cli, Running

HEAVY = ("libp2p", "fastapi", "starlette", "hypercorn", "pydantic", "trio", "multiaddr", "rich", "cid", "lmdb")


def loaded_by(*arguments: str) -> set[str]:
    """The heavy modules that a command loads."""
    script = (
        "import sys\nfrom chiral.cli.main import run\n"
        f"code = run({list(arguments)!r})\n"
        f"print('LOADED', code, *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True)
    marker, code, *names = done.stderr.decode().splitlines()[-1].split()
    assert (marker, code) == ("LOADED", "0"), done.stderr
    return set(names)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["run", "--help"], ["dht", "--help"], ["add", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(*arguments) == set()


@pytest.mark.parametrize("arguments", [["id"], ["ls"], ["peers"], ["stats"], ["config", "show"], ["dht", "stats"]])
def test_client_commands_load_nothing_heavy(arguments: list[str], node: Running) -> None:
    assert loaded_by("--data", str(node.data_dir), *arguments) == set()


def test_nor_do_add_get_and_cat(node: Running, tmp_path: Path) -> None:
    data = ["--data", str(node.data_dir)]
    (tmp_path / "file").write_bytes(b"x")
    assert loaded_by(*data, "add", str(tmp_path / "file")) == set()
    assert loaded_by(*data, "get", node.held["file"], "-o", str(tmp_path)) == set()
    assert loaded_by(*data, "get", node.held["file"], "-o", str(tmp_path), "--api", node.api) == set()
    assert loaded_by(*data, "cat", node.held["file"]) == set()


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chiral", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("chiral ")


def test_help_lists_every_command(cli: Cli) -> None:
    done = cli("--help")
    assert done.code == 0
    for name, (_, line) in COMMANDS.items():
        assert any(shown.split() == [name, *line.split()] for shown in done.lines), name


@pytest.mark.parametrize("lazy", [group, dht.command, block.command, config.command])
def test_every_listed_command_is_there_and_says_what_it_does(lazy: LazyGroup) -> None:
    context = click.Context(lazy)
    for name in lazy.list_commands(context):
        command = lazy.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help
    assert lazy.get_command(context, "nonsense") is None


def test_commands_are_named_after_their_files() -> None:
    for name, (module, _) in COMMANDS.items():
        assert import_module(module).__name__.rpartition(".")[2] == name


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["add"],
        ["get"],
        ["--nonsense"],
        ["dht", "nonsense"],
        ["get", "x", "--timeout", "0"],
        ["run", "--log-level", "loud"],
        ["add", "-"],
        ["add", "a", "b", "--name", "c"],
        ["id", "--api", "ftp://x"],
        ["id", "--api", "http://[::1"],
        ["id", "--api", "127.0.0.1:5101"],
    ],
)
def test_usage_faults_are_one_line_and_end_with_2(cli: Cli, node: Running, arguments: list[str]) -> None:
    done = cli("--data", node.data_dir, *arguments)
    assert (done.code, done.out) == (2, b"")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1


def test_no_node_ends_with_5(cli: Cli, tmp_path: Path) -> None:
    done = cli("--data", tmp_path, "id")
    assert done.code == 5
    assert done.err == (
        f"error: no node is running in {tmp_path} (start one with 'chiral run', or name its directory with --data)\n"
    )


def test_a_node_that_was_killed_ends_with_5(cli: Cli, tmp_path: Path) -> None:
    from chiral.api.endpoint import Endpoint, ensure_token, write_endpoint

    write_endpoint(tmp_path, Endpoint("http://127.0.0.1:1", str(tmp_path / "api.sock"), 1))
    ensure_token(tmp_path)
    assert cli("--data", tmp_path, "id").code == 5
    assert cli("--data", tmp_path, "--api", "http://127.0.0.1:1", "id").code == 2
    assert cli("id", "--data", tmp_path, "--api", "http://127.0.0.1:1").code == 5


def test_the_data_directory_may_stand_before_or_after_the_command(cli: Cli, node: Running) -> None:
    assert cli("--data", node.data_dir, "id").out == cli("id", "--data", node.data_dir).out != b""


def test_the_data_directory_from_the_environment(cli: Cli, node: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIRAL_DATA", str(node.data_dir))
    assert cli("id").code == 0


def test_the_api_and_its_token_from_the_environment(cli: Cli, node: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIRAL_API_URL", node.api)
    assert cli("id").code == 1
    monkeypatch.setenv("CHIRAL_API_TOKEN", (node.data_dir / "api.token").read_text())
    assert cli("id").code == 0


def test_a_token_file(cli: Cli, node: Running, tmp_path: Path) -> None:
    assert cli("id", "--api", node.api, "--token-file", node.data_dir / "api.token").code == 0
    (tmp_path / "wrong").write_text("wrong")
    done = cli("id", "--api", node.api, "--token-file", tmp_path / "wrong")
    assert done.code == 1
    assert "token is missing or wrong" in done.err


def test_a_fault_of_the_program_is_one_line_unless_debugging(
    cli: Cli, node: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("chiral.cli.client.Client.call", broken)
    done = cli("--data", node.data_dir, "id")
    assert done.code == 1
    assert done.err == "error: RuntimeError: unforeseen (this is a fault of chiral; --debug shows where)\n"
    for arguments in (["--debug", "id"], ["id", "--debug"]):
        done = cli("--data", node.data_dir, *arguments)
        assert done.code == 1
        assert "Traceback" in done.err


def test_an_interrupted_command_ends_with_130(cli: Cli, node: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chiral.cli.client.Client.call", interrupted)
    assert cli("--data", node.data_dir, "id").code == 130
