"""dag export, import, stat and get against a node, over both transports."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from chiral.block.cid import CID, DAG_PB
from chiral.car.reader import CarReader
from chiral.car.writer import section_bytes
from tests.cli.conftest import Cli, Running
from tests.files.rig import leftovers

VECTORS = Path(__file__).parents[1] / "vectors" / "car"
CAR = VECTORS / "tree_cidv1.car"
ROOT = "bafybeibno3nn4qyj7vgu7uera7ioumu5ra66umvwicynitpjmbycgzb6si"
NOWHERE = str(CID.of(b"nowhere", DAG_PB))


@pytest.fixture
def taken(cli: Cli, way: list[str]) -> list[str]:
    """The way to a node that has taken in the archive."""
    assert cli("dag", "import", *way, CAR).code == 0
    return way


def test_import_says_what_became_of_roots(cli: Cli, own_node: Running) -> None:
    for way in (["--data", own_node.data_dir], ["--data", own_node.data_dir, "--api", own_node.api]):
        done = cli("dag", "import", *way, CAR)
        assert (done.code, done.lines) == (0, [f"{ROOT}  pinned"])
    assert "0 new" in done.err
    assert "were here already" in done.err


def test_import_as_json_and_from_stdin(cli: Cli, way: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CAR.read_bytes())))
    [told] = cli("dag", "import", *way, "-", "--name", "tree", "--no-pin-roots", "--json").json
    assert told["roots"][0] == {"cid": ROOT, "here": True, "whole": True, "pinned": False}


def test_import_of_what_cannot_be_taken(cli: Cli, way: list[str], tmp_path: Path) -> None:
    (tmp_path / "cut.car").write_bytes(CAR.read_bytes()[:-1])
    cut = cli("dag", "import", *way, tmp_path / "cut.car")
    assert (cut.code, cut.out) == (4, b"")
    assert "cut short" in cut.err
    for path in (tmp_path / "missing", tmp_path):
        assert cli("dag", "import", *way, path).code == 1


def test_a_partial_archive(cli: Cli, own_node: Running, tmp_path: Path) -> None:
    way = ["--data", own_node.data_dir]
    (tmp_path / "part.car").write_bytes(CAR.read_bytes()[:59])
    done = cli("dag", "import", *way, tmp_path / "part.car")
    assert (done.code, done.lines) == (0, [f"{ROOT}  not in the archive"])
    assert "1 blocks below the roots are not here" in done.err


def test_export(cli: Cli, taken: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.car"
    done = cli("dag", "export", *taken, ROOT, "-o", out)
    assert (done.code, done.lines) == (0, [str(out)])
    assert out.read_bytes() == CAR.read_bytes()
    assert cli("dag", "export", *taken, ROOT, "-o", out).code == 1
    [told] = cli("dag", "export", *taken, ROOT, "-o", out, "-f", "--car-version", "2", "--json").json
    assert (told["path"], told["size"]) == (str(out), out.stat().st_size)
    assert out.read_bytes().endswith(CAR.read_bytes())


def test_export_to_stdout(cli: Cli, taken: list[str]) -> None:
    assert cli("dag", "export", *taken, ROOT, "-o", "-").out == CAR.read_bytes()


def test_export_of_what_is_not_here(cli: Cli, way: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.car"
    for options in (["--offline"], []):
        done = cli("dag", "export", *way, NOWHERE, "-o", out, *options)
        assert (done.code, out.exists()) == (3, False)
    done = cli("dag", "export", *way, NOWHERE, "-o", out, "--partial")
    assert (done.code, out.exists()) == (0, True)
    assert f"1 blocks are not here and left out: {NOWHERE}" in done.err
    assert cli("dag", "export", *way, NOWHERE, "-o", tmp_path).code == 2


@pytest.mark.parametrize("output", ["out.car", "-"])
def test_an_export_that_breaks_off_says_why_and_leaves_nothing(
    cli: Cli, own_node: Running, tmp_path: Path, output: str
) -> None:
    (tmp_path / "part.car").write_bytes(archive_without_its_last_block(CAR.read_bytes()))
    assert cli("dag", "import", "--data", own_node.data_dir, tmp_path / "part.car").code == 0
    out = output if output == "-" else tmp_path / output
    done = cli("dag", "export", "--data", own_node.data_dir, "--api", own_node.api, ROOT, "-o", out, "--offline")
    assert done.code == 3
    assert "1 blocks below" in done.err
    assert leftovers(tmp_path) == ["node", "part.car"]
    partly = cli("dag", "export", "--data", own_node.data_dir, "--api", own_node.api, ROOT, "-o", out, "--partial")
    assert partly.code == 0
    assert "1 blocks are not here and left out" in partly.err


def archive_without_its_last_block(archive: bytes) -> bytes:
    blocks = list(CarReader().feed(archive))
    last = section_bytes(len(blocks[-1].cid.buffer), len(blocks[-1]))
    return archive[:-last]


def test_stat(cli: Cli, taken: list[str]) -> None:
    [told] = cli("dag", "stat", *taken, ROOT, "--json").json
    assert (told["cid"], told["layout"], told["missing"]["count"]) == (ROOT, "directory", 0)
    lines = cli("dag", "stat", *taken, ROOT).lines
    assert lines[0].split() == ["root", ROOT]
    assert any(line.startswith("dedup ratio") for line in lines)
    assert any("missing" in line for line in cli("dag", "stat", *taken, NOWHERE, "--offline").lines)


def test_get(cli: Cli, taken: list[str]) -> None:
    node = json.loads(cli("dag", "get", *taken, ROOT).out)
    name = node["Links"][0]["Name"]
    assert json.loads(cli("dag", "get", *taken, f"{ROOT}/Links/0/Name").out) == name
    assert (
        cli("dag", "get", *taken, f"/ipfs/{ROOT}/{name}").out == cli("dag", "get", *taken, f"{ROOT}/Links/0/Hash").out
    )
    assert cli("dag", "get", *taken, ROOT, "--output-codec", "dag-cbor").out[:1] == b"\xa2"
    assert cli("dag", "get", *taken, f"{ROOT}/nothing").code == 3
    assert cli("dag", "get", *taken, ROOT, "--output-codec", "raw").code == 2
    assert cli("dag", "get", *taken, "nonsense").code == 2
