"""Adding many files: few requests, the outcomes in order, every path tried."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from chiral.cli.batch import MAX_FILES, BatchAdder, LocalFile
from chiral.cli.client import Client
from chiral.errors import ChiralError, FileAccessError, StoreFullError
from tests.cli.conftest import Cli, Running


class FakeClient:
    """Adds what it is asked to, unless the name says otherwise; breaks off before the item called `break_at`."""

    def __init__(self, break_at: str = "") -> None:
        self.requests: list[int] = []
        self.break_at = break_at

    def lines(self, method: str, path: str, *, body: Any, item: Any, progress: Any) -> Any:
        assert (method, path) == ("POST", "/files/batch")
        self.requests.append(len(body["items"]))
        for asked in body["items"]:
            if asked["name"] == self.break_at:
                raise StoreFullError("broken off")
            fault = {"code": "file_access", "message": f"cannot read {asked['name']}", "hint": ""}
            bad = asked["name"].startswith("bad")
            item({"added": None if bad else {"name": asked["name"]}, "error": fault if bad else None})
        progress(len(body["items"]), None)
        return {"added": 0, "failed": 0}


def add(client: FakeClient, found: Sequence[LocalFile | ChiralError]) -> tuple[list[str], list[tuple[int, int]]]:
    """What was told, as names and messages, and the progress shown."""
    told: list[Any] = []
    shown: list[tuple[int, int]] = []
    BatchAdder(cast(Client, client), told.append, lambda *done: shown.append(done)).add(found)
    return [one.message if isinstance(one, ChiralError) else one["name"] for one in told], shown


def file(name: str, folder: str = "/x/") -> LocalFile:
    return LocalFile(folder + name, name, 1)


def test_errors_stand_where_their_paths_do() -> None:
    missing = FileAccessError("missing")
    client = FakeClient()
    told, _ = add(client, [missing, file("a"), missing, missing, file("bad"), file("b"), missing])
    assert told == ["missing", "a", "missing", "missing", "cannot read bad", "b", "missing"]
    assert client.requests == [3]


def test_nothing_is_asked_where_all_are_errors() -> None:
    client = FakeClient()
    assert add(client, [FileAccessError("x")] * 2)[0] == ["x", "x"]
    assert client.requests == []


def test_a_request_holds_so_many_files_and_bytes() -> None:
    client = FakeClient()
    names = [str(number) for number in range(MAX_FILES * 2 + 1)]
    told, shown = add(client, [file(name) for name in names])
    assert told == names
    assert client.requests == [MAX_FILES, MAX_FILES, 1]
    assert shown == [(MAX_FILES, MAX_FILES), (2 * MAX_FILES, 2 * MAX_FILES), (2 * MAX_FILES + 1, 2 * MAX_FILES + 1)]
    wide = FakeClient()
    add(wide, [file(name, "/" + "\u20ac" * 1300 + "/") for name in names[:MAX_FILES]])  # 7,800 bytes as JSON
    assert 5 < len(wide.requests) < 20


def test_a_request_that_breaks_off_is_told_for_each_path_left_and_the_next_is_made() -> None:
    found = [file(str(number)) for number in range(MAX_FILES + 1)]
    found[1] = file("bad")
    told, _ = add(FakeClient(break_at="2"), found)
    assert told[:3] == ["0", "cannot read bad", "broken off"]
    assert set(told[2:MAX_FILES]) == {"broken off"}
    assert told[MAX_FILES:] == [str(MAX_FILES)]


def test_an_answer_that_passes_over_files_is_a_broken_one() -> None:
    class Forgetful(FakeClient):
        def lines(self, method: str, path: str, *, body: Any, item: Any, progress: Any) -> Any:
            return {"added": 0, "failed": 0}

    assert add(Forgetful(), [file("a")])[0] == ["the node broke off its answer"]


def test_order_and_exit_code_over_both_transports(
    cli: Cli, way: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        (tmp_path / f"f{number}").write_bytes(bytes([number]) * (300_000 if number == 7 else 10))
    odd = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"a\xff"))
    Path(odd).write_bytes(b"odd")
    monkeypatch.chdir(tmp_path)
    paths = [*(f"f{number}" for number in range(15)), "-", odd, *(f"f{number}" for number in range(15, 30)), "missing"]
    done = cli("add", *way, *paths, "--json")
    assert [value["name"] for value in done.json] == [
        *(f"f{number}" for number in range(15)), "a\ufffd", *(f"f{number}" for number in range(15, 30))
    ]  # fmt: skip
    assert done.code == 2  # of the first that failed: stdin has no name
    assert done.err.count("error: ") == 2
    assert "missing" in done.err


def test_one_bar_for_all(cli: Cli, node: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(bytes(512 * 1024))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    done = cli("add", "--data", node.data_dir, tmp_path / "one", tmp_path / "two")
    assert (done.code, len(done.lines)) == (0, 2)
    assert "/2 files" in done.err
    assert "/1.0 MiB" in done.err
