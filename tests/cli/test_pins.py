"""The commands of pins and collections."""

from __future__ import annotations

import io
import sys

import pytest

from tests.cli.conftest import Cli, Running
from tests.cli.test_commands import UNKNOWN


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_pins(cli: Cli, way: list[str], node: Running) -> None:
    block = node.held["block"]
    assert cli("pin", "add", *way, block, "--name", "first").lines == [f"{block}  recursive  first"]
    again = cli("pin", "add", *way, block, "--name", "first")
    assert (again.code, "before" in again.err) == (0, True)
    (added,) = cli("pin", "add", *way, block, "--direct", "--json").json
    assert (added["kind"], added["name"], added["new"]) == ("direct", "", True)
    assert sorted(pin["kind"] for pin in cli("pin", "ls", *way, "--json").json) == ["direct", "recursive"]
    (line,) = cli("pin", "ls", *way, "--type", "recursive").lines
    assert line.split()[:2] == [block, "recursive"]
    assert line.endswith("first")
    assert len(cli("pin", "ls", *way, block).lines) == 2
    refused = cli("pin", "rm", *way, block)
    assert (refused.code, "--all" in refused.err) == (2, True)
    assert cli("pin", "rm", *way, block, "--name", "first").lines == [f"{block}  recursive  first"]
    assert cli("pin", "rm", *way, block, "--all", "--json").json[0]["kind"] == "direct"
    assert cli("pin", "rm", *way, block).code == 3
    assert cli("pin", "ls", *way).lines == []
    assert cli("pin", "ls", *way, block).code == 3
    assert cli("pin", "add", *way, UNKNOWN).code == 3


def test_gc(cli: Cli, way: list[str]) -> None:
    assert cli("gc", *way, "--dry-run").lines == ["would free 3 of 10 blocks, 300 B, in 2.0 s"]
    assert cli("gc", *way).lines == ["freed 3 of 10 blocks, 300 B, in 2.0 s"]
    assert cli("gc", *way, "--json").json[0]["freed_bytes"] == 300
    assert cli("gc", *way, "--status").lines[0] == "no collection goes on"
    assert cli("gc", *way, "--status", "--json").json[0]["last"]["freed_blocks"] == 3
    assert "no collection" in cli("gc", *way, "--stop").err
    assert cli("gc", *way, "--stop", "--json").json == [{"stopped": False}]
    assert cli("gc", *way, "--stop", "--status").code == 2


def test_clean_asks_nobody_where_nobody_is(cli: Cli, way: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    refused = cli("clean", *way, "--deep")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert cli("clean", *way, "--yes").lines == ["removed 3 blocks of 300 B that nothing keeps"]
    assert cli("clean", *way, "--yes", "--json").json[0]["blocks"] == 3


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 130)])
def test_clean_asks(cli: Cli, way: list[str], monkeypatch: pytest.MonkeyPatch, answer: str, code: int) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    done = cli("clean", *way)
    assert "this removes 3 blocks of 300 B" in done.err
    assert (done.code, bool(done.lines)) == (code, code == 0)
