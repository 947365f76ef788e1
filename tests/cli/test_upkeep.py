"""`chiral verify` and `chiral compact`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli
from tests.fakes.upkeep import DAMAGED


def test_damage_is_named_and_the_exit_code_tells(cli: Cli, way: list[str]) -> None:
    done = cli("verify", *way, "--rate", "20")
    assert done.code == 4
    assert f"damaged {DAMAGED}" in done.lines
    assert "1 damaged blocks were taken out of service" in done.err
    assert cli("verify", *way, "--status", "--json").json[0]["rate_bytes"] == 20_000_000


def test_what_was_repaired_is_no_failure(cli: Cli, way: list[str]) -> None:
    done = cli("verify", *way, "--repair", "--json")
    assert done.code == 0
    assert (done.json[0]["damaged"], done.json[0]["repaired"]) == (1, 1)


def test_in_the_background(cli: Cli, way: list[str]) -> None:
    done = cli("verify", *way, "--background")
    assert done.code == 0
    assert done.lines[0].split() == ["state", "running"]
    assert cli("verify", *way, "--stop").lines[0].split() == ["state", "stopped"]


def test_the_quarantine(cli: Cli, way: list[str]) -> None:
    (line,) = cli("verify", *way, "--quarantine").lines
    assert line.split()[:2] == [str(DAMAGED), "missing"]
    assert cli("verify", *way, "--quarantine", "--json").json[0]["cid"] == str(DAMAGED)


@pytest.mark.parametrize("given", [["--stop", "--status"], ["--rate", "0"], ["--rate", "x"]])
def test_what_cannot_be_meant(cli: Cli, way: list[str], given: list[str]) -> None:
    assert cli("verify", *way, *given).code == 2


def test_compacting(cli: Cli, way: list[str]) -> None:
    assert cli("compact", *way).lines == ["1000 B before, 600 B now"]
    assert cli("compact", *way, "--json").json == [{"before_bytes": 1000, "after_bytes": 600}]
