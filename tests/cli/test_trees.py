"""Directories, options of adding, paths below a CID and parts of files, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiral.cli.commands.ls import _marked
from tests.cli.conftest import Cli, Running

DATA = bytes(range(256)) * 2048


def local(node: Running) -> list[str]:
    return ["--data", str(node.data_dir)]


def test_a_directory_is_added_whole_and_its_dag_root_printed(cli: Cli, node: Running, tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    folder.mkdir()
    for name in ("a", "b", ".hidden"):
        (folder / name).write_bytes(name.encode())
    done = cli("add", *local(node), "-r", folder)
    assert done.code == 0
    assert done.lines[0].startswith("bafybei")
    assert done.lines[0].endswith("  tree")
    told = cli("add", *local(node), folder, "--json").json[0]
    assert (told["cid"], told["name"], told["files"], told["failed"]) == (told["dag_cid"], "tree", 2, 0)
    assert cli("add", *local(node), folder, "--hidden", "--json").json[0]["files"] == 3
    assert cli("add", *local(node), folder, "--name", "other", "--json").json[0]["name"] == "other"


def test_what_is_left_out_of_a_directory_is_named_and_fails(cli: Cli, node: Running, tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(b"g")
    (tmp_path / "bad").symlink_to("nowhere")
    done = cli("add", *local(node), tmp_path, "--json")
    assert done.code == 1
    assert done.json[0]["failed"] == 1
    assert str(tmp_path / "bad") in done.err


def test_files_and_directories_together(cli: Cli, node: Running, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_bytes(b"f")
    done = cli("add", *local(node), tmp_path / "f", tmp_path / "d", tmp_path / "none", tmp_path / "f", "--json")
    assert done.code == 1
    assert [told["name"] for told in done.json] == ["f", "d", "f"]


def test_a_directory_over_tcp_is_refused(cli: Cli, node: Running, tmp_path: Path) -> None:
    done = cli("add", *local(node), "--api", node.api, tmp_path)
    assert done.code == 2
    assert "--data" in done.err


def test_ignore_rules_are_read_here(cli: Cli, node: Running, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "rules").write_text("*.o\n")
    done = cli("add", *local(node), tmp_path / "d", "--ignore-rules-path", tmp_path / "rules", "--ignore", "x/")
    assert done.code == 0
    (tmp_path / "rules").write_bytes(b"x\n" * 300_000)
    assert cli("add", *local(node), tmp_path / "d", "--ignore-rules-path", tmp_path / "rules").code == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--chunker", "size-1024"],
        ["--profile", "unixfs-v0-2015"],
        ["--cid-version", "0", "--raw-leaves"],
        ["--no-raw-leaves", "--trickle", "--mode", "--mtime"],
        ["--only-hash"],
    ],
)
def test_options_of_adding(cli: Cli, way: list[str], tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "f").write_bytes(b"f")
    assert cli("add", *way, tmp_path / "f", *options).code == 0


@pytest.mark.parametrize("options", [["--chunker", "x"], ["--profile", "x"], ["--cid-version", "2"]])
def test_options_that_are_none(cli: Cli, way: list[str], tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "f").write_bytes(b"f")
    assert cli("add", *way, tmp_path / "f", *options).code == 2


def test_a_part_of_a_file(cli: Cli, way: list[str], node: Running) -> None:
    held = node.held["file"]
    assert cli("cat", *way, held, "--offset", "1k", "--length", "10").out == DATA[1024:1034]
    assert cli("cat", *way, held, "--offset", len(DATA) - 3).out == DATA[-3:]
    assert cli("cat", *way, held, "--offset", "1G").out == b""
    assert cli("cat", *way, held, "--length", "0").out == b""


def test_paths_below_a_cid(cli: Cli, way: list[str], node: Running, tmp_path: Path) -> None:
    root = node.held["directory"]
    assert cli("cat", *way, f"{root}/d/f").out == b"in a directory"
    assert cli("cat", *way, f"/ipfs/{root}/d/f").out == b"in a directory"
    done = cli("get", *way, f"{root}/d/f", "-o", tmp_path / "out")
    assert done.code == 0
    assert (tmp_path / "out").read_bytes() == b"in a directory"
    assert cli("cat", *way, f"{root}/none").code == 3
    assert cli("cat", *way, f"{root}/../x").code == 2


def test_a_directory_is_listed(cli: Cli, way: list[str], node: Running) -> None:
    root = node.held["directory"]
    lines = cli("ls", *way, root).lines
    assert [line.split("  ")[-1] for line in lines] == ["d/", "l@"]
    told = cli("ls", *way, f"{root}/d", "--json").json
    assert [(item["name"], item["type"], item["size"]) for item in told] == [("f", "file", 14)]
    assert cli("ls", *way, f"{root}/none").code == 3


def test_names_in_a_listing_say_what_they_are_of() -> None:
    assert [_marked({"name": "n"}, kind) for kind in ("file", "directory", "symlink", "dag")] == ["n", "n/", "n@", "n"]
