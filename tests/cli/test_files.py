"""add, get, cat, ls, rm against a node, over both transports."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chiral.block.cid import CID
from tests.cli.conftest import ROOT, Cli, Running

DATA = bytes(range(256)) * 2048
ADDED = DATA + b"added"
ADDED_CID = str(CID.of(hashlib.sha256(ADDED).digest()))
CHIRAL = [sys.executable, "-m", "chiral"]


def test_add_prints_cid_and_name(cli: Cli, way: list[str], tmp_path: Path) -> None:
    (tmp_path / "a file").write_bytes(ADDED)
    done = cli("add", *way, tmp_path / "a file")
    assert done.code == 0
    assert done.lines[0].startswith("bafkrei")
    assert done.lines[0].endswith("  a file")


def test_add_prints_json(cli: Cli, way: list[str], tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(ADDED)
    done = cli("add", *way, tmp_path / "f", "--json")
    told = {"cid": ADDED_CID, "dag_cid": None, "name": "f", "size": len(ADDED), "chunks": 3}
    assert done.json == [{**told, "new_blocks": 3, "new_bytes": len(ADDED), "known": False}]


def test_add_takes_several_and_goes_on_after_a_fault(cli: Cli, way: list[str], tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "two").write_bytes(b"2")
    done = cli("add", *way, tmp_path / "one", tmp_path / "missing", tmp_path / "two", "--json")
    assert done.code == 1
    assert [value["name"] for value in done.json] == ["one", "two"]
    assert "missing" in done.err


def test_add_under_another_name(cli: Cli, way: list[str], tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    assert cli("add", *way, tmp_path / "one", "--name", "other", "--json").json[0]["name"] == "other"


def test_add_from_stdin(cli: Cli, way: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ADDED)))
    done = cli("add", *way, "-", "--name", "piped", "--json")
    assert (done.json[0]["cid"], done.json[0]["name"]) == (ADDED_CID, "piped")


def test_a_path_that_is_no_text(cli: Cli, way: list[str], node: Running, tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"a\xff.bin")
    with open(path, "wb") as file:
        file.write(ADDED)
    added = cli("add", *way, os.fsdecode(path), "--json")
    assert (added.code, added.json[0]["name"]) == (0, "a\ufffd.bin")
    got = cli("get", *way, node.held["file"], "-o", os.fsdecode(path), "--force", "--json")
    assert (got.code, got.json[0]["path"]) == (0, os.fsdecode(path))
    assert Path(os.fsdecode(path)).read_bytes() == DATA


def test_add_of_what_cannot_be_added(cli: Cli, way: list[str], tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "missing", tmp_path / "loop"):
        done = cli("add", *way, path)
        assert done.code == 1
        assert done.err.count("\n") == 1
        assert str(path) in done.err


def test_add_of_a_file_of_the_data_directory(cli: Cli, node: Running) -> None:
    done = cli("add", "--data", node.data_dir, node.data_dir / "api.token")
    assert done.code == 1
    assert "data directory" in done.err


def test_get_takes_the_files_own_name_and_nobodys_place(
    cli: Cli, way: list[str], node: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for expected in ("held.bin", "held (1).bin", "held (2).bin"):
        done = cli("get", *way, node.held["file"])
        assert done.code == 0
        assert done.lines == [str(tmp_path / expected)]
        assert (tmp_path / expected).read_bytes() == DATA
    assert sorted(os.listdir(tmp_path)) == ["held (1).bin", "held (2).bin", "held.bin"]


def test_get_makes_a_claimed_name_safe(
    cli: Cli, way: list[str], node: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    done = cli("get", *way, node.held["escaping"])
    assert done.code == 0
    (saved,) = (tmp_path / "in").iterdir()
    assert "\x1b" not in saved.name + done.out.decode()
    assert os.listdir(tmp_path) == ["in"]


def test_get_prints_json(cli: Cli, way: list[str], node: Running, tmp_path: Path) -> None:
    done = cli("get", *way, node.held["remote"], "-o", tmp_path / "out", "--json")
    value = done.json[0]
    assert (value["cid"], value["name"], value["size"]) == (node.held["remote"], "other.bin", 15)
    assert value["path"] == str(tmp_path / "out")


def test_get_replaces_only_when_forced(cli: Cli, way: list[str], node: Running, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    done = cli("get", *way, node.held["file"], "-o", tmp_path / "out")
    assert done.code == 1
    assert "--force" in done.err
    assert (tmp_path / "out").read_bytes() == b"mine"
    assert cli("get", *way, node.held["file"], "-o", tmp_path / "out", "--force").code == 0
    assert (tmp_path / "out").read_bytes() == DATA
    assert os.listdir(tmp_path) == ["out"]


def test_get_into_a_directory(cli: Cli, way: list[str], node: Running, tmp_path: Path) -> None:
    assert cli("get", *way, node.held["file"], "-o", tmp_path).lines == [str(tmp_path / "held.bin")]
    done = cli("get", *way, node.held["file"], "-o", f"{tmp_path}/none/")
    assert done.code == 1
    assert "create it first" in done.err


def test_get_where_nothing_can_be_written(cli: Cli, way: list[str], node: Running, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for target in (tmp_path / "none" / "out", tmp_path / "file" / "out"):
        done = cli("get", *way, node.held["file"], "-o", target)
        assert done.code == 1, target
        assert done.err.count("\n") == 1


def test_get_does_not_take_a_devices_place(cli: Cli, way: list[str], node: Running, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = cli("get", *way, node.held["file"], "-o", tmp_path / "pipe", "--force")
    assert done.code == 1
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("command", ["cat", "get"])
def test_bytes_to_stdout(cli: Cli, way: list[str], node: Running, command: str) -> None:
    extra = ["-o", "-"] if command == "get" else []
    done = cli(command, *way, node.held["file"], *extra)
    assert (done.code, done.out) == (0, DATA)


@pytest.mark.parametrize("command", ["cat", "get", "rm", "ls"])
def test_content_that_there_is_not_ends_with_3(cli: Cli, way: list[str], command: str, tmp_path: Path) -> None:
    cid = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
    done = cli(command, *way, cid, *(["-o", tmp_path / "x"] if command == "get" else []))
    assert done.code == 3
    assert done.err.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("command", ["cat", "get", "rm", "ls"])
def test_what_is_no_cid_ends_with_2(cli: Cli, way: list[str], command: str) -> None:
    done = cli(command, *way, "nonsense/../x?y#z")
    assert done.code == 2
    assert "is not a CID" in done.err


def test_ls(cli: Cli, way: list[str], node: Running) -> None:
    assert any(line.split() == [node.held["file"], "512.0", "KiB", "held.bin"] for line in cli("ls", *way).lines)
    by_cid = {value["cid"]: value for value in cli("ls", *way, "--json").json}
    assert by_cid[node.held["file"]]["size"] == len(DATA)
    assert "\x1b" not in cli("ls", *way).out.decode()


def test_ls_of_a_files_blocks(cli: Cli, way: list[str], node: Running) -> None:
    done = cli("ls", *way, node.held["file"])
    assert [line.split()[1] for line in done.lines] == ["262144", "262144"]
    assert [value["size"] for value in cli("ls", *way, node.held["file"], "--json").json] == [262144, 262144]


def test_rm(cli: Cli, own_node: Running) -> None:
    where = ["--data", str(own_node.data_dir)]
    done = cli("rm", *where, own_node.held["file"], own_node.held["escaping"], "--json")
    assert done.code == 0
    assert [value["cid"] for value in done.json] == [own_node.held["file"], own_node.held["escaping"]]
    assert cli("ls", *where).lines == []
    assert cli("rm", *where, own_node.held["file"]).code == 3


@pytest.mark.parametrize("extra", [[], ["--api"]])
def test_an_interrupted_get_leaves_nothing(stalling_node: Running, tmp_path: Path, extra: list[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    api = ["--api", stalling_node.api] if extra else []
    command = [*CHIRAL, "get", "--data", str(stalling_node.data_dir), *api, stalling_node.held["file"], "-o", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        wait_until_connected(process.pid)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert os.listdir(out) == []


def wait_until_connected(pid: int) -> None:
    """Return once the process has a socket open, by which time its request is on its way."""
    while not any(link.startswith("socket:") for link in links_of(pid)):
        os.sched_yield()


def links_of(pid: int) -> list[str]:
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(entry.path))
        except FileNotFoundError:
            continue
    return found


def test_a_reader_of_stdout_that_leaves_is_no_fault_to_talk_about(node: Running) -> None:
    command = [*CHIRAL, "cat", "--data", str(node.data_dir), node.held["file"]]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 1


def test_a_node_that_ends_in_the_middle(cli: Cli, stalling_node: Running, tmp_path: Path) -> None:
    command = [*CHIRAL, "get", "--data", str(stalling_node.data_dir), "--api", stalling_node.api]
    command += [stalling_node.held["file"], "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        wait_until_connected(process.pid)
        assert cli("shutdown", "--data", stalling_node.data_dir).code == 0
        _, err = process.communicate(timeout=10)
    assert process.returncode == 1 or process.returncode == 5
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
