"""The commands of the catalogue, of versions and of deltas, against a real node in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chiral.cli.commands.view import integrity_text, shortened
from tests.cli.conftest import ROOT, Cli, Outcome

TEXT = b"".join(b"line %d\n" % number for number in range(50_000))
NEWER = TEXT.replace(b"line 40000\n", b"a line of its own\n")
SMALL = b"one\ntwo\nthree\n"


@dataclass(frozen=True, slots=True)
class Library:
    """The command line against a node, and a directory for files to add."""

    cli: Cli
    data: Path
    folder: Path

    def run(self, *arguments: object) -> Outcome:
        return self.cli(*arguments, "--data", self.data)

    def json(self, *arguments: object) -> list[Any]:
        outcome = self.run(*arguments, "--json")
        assert outcome.code == 0, outcome.err
        return outcome.json

    def add(self, data: bytes, name: str, *options: object) -> Any:
        file = self.folder / name
        file.write_bytes(data)
        return self.json("add", file, *options)[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    data = tmp_path_factory.mktemp("library") / "node"
    listen = ("--listen", "/ip4/127.0.0.1/tcp/0", "--api", "127.0.0.1:0", "--announce", "off")
    command = [sys.executable, "-m", "chiral", "run", "--json", "--data", str(data), *listen]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        try:
            yield data
        finally:
            process.terminate()
            assert process.wait(20) == 0


@pytest.fixture
def library(cli: Cli, running: Path, tmp_path: Path) -> Library:
    return Library(cli, running, tmp_path)


def test_what_is_added_is_found(library: Library) -> None:
    cid = library.add(b"findable", "Findable Photo.png", "--tag", "red", "--tag", "dated")["cid"]
    assert [item["cid"] for item in library.json("search", "findable", "photo", "--type", "image", "--tag", "red")] == [
        cid
    ]
    (line,) = library.run("search", "FINDABLE", "--larger", "8", "--smaller", "1k", "--since", "1d").lines
    assert line.startswith(cid)
    assert line.endswith("Findable Photo.png +dated +red")
    assert library.run("search", "findable", "--before", "1d").lines == []
    assert library.run("search", "findable", "--kind", "directory").lines == []
    assert library.run("search", "--larger", "huge").code == 2


def test_tags_are_given_and_taken(library: Library) -> None:
    cid = library.add(b"tagged", "tagged")["cid"]
    assert library.run("tag", cid, "+one", "+two words", "+three").lines == ["one", "three", "two words"]
    assert library.run("tag", cid, "-one", "-three").lines == ["two words"]
    assert library.run("tag", cid).lines == ["two words"]
    assert library.run("tag", cid, "four").code == 2


def test_a_view_tells_all(library: Library) -> None:
    added = library.add(TEXT, "viewed.txt", "--ttl", "30d", "--tag", "red")
    outcome = library.run("view", added["cid"])
    assert outcome.code == 0
    text = outcome.out.decode()
    for part in ("viewed.txt", "text/plain", "bytes)", "30 d 0 h", "the last of", "whole: ", shortened(added["cid"])):
        assert part in text
    assert added["cid"] not in text
    assert added["cid"] in library.run("view", added["cid"], "--full").out.decode()
    assert library.json("view", added["cid"])[0]["state"] == "whole"


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        ({"state": "damaged", "damaged": 2, "missing": 0}, "damaged 2 of 9 blocks, 1.0 KiB"),
        ({"state": "damaged", "damaged": 1, "missing": 3}, "damaged 1, missing 3 of 9 blocks, 1.0 KiB"),
        ({"state": "missing", "damaged": 0, "missing": 1}, "missing 1 of 9 blocks, 1.0 KiB"),
        (
            {"state": "damaged", "damaged": 0, "missing": 0, "manifest_sound": False},
            "damaged: the list of chunks itself of 9 blocks, 1.0 KiB",
        ),
    ],
)
def test_what_is_not_whole_is_told(seen: dict[str, Any], text: str) -> None:
    assert integrity_text({"blocks": 9, "stored_bytes": 1024, "manifest_sound": True, **seen}) == text


def test_a_lifetime_is_said_and_taken_back(library: Library) -> None:
    added = library.add(b"mortal", "mortal", "--ttl", "1h")
    entry = library.json("expire", added["cid"], "2h")[0]
    assert entry["expires_at"] - entry["added_at"] in range(7200, 7300)
    assert library.run("expire", added["cid"], "never").lines == ["never"]
    assert library.run("expire", added["cid"], "soon").code == 2


def test_versions_of_a_name(library: Library) -> None:
    first = library.add(SMALL, "report.txt", "--as", "report")
    assert first["version"] == "report@1"
    second = library.add(SMALL + b"four\n", "report.txt", "--as", "report")
    assert [item["cid"] for item in library.json("versions", "report")] == [first["cid"], second["cid"]]
    assert library.run("versions").lines == ["report@2"]
    assert library.json("versions", "report", "--restore", 1)[0]["number"] == 3
    assert library.json("versions", "report", "--remove", 2)[0]["cid"] == second["cid"]
    assert library.json("versions", "report", "--add", second["cid"])[0]["number"] == 4
    assert [line.split()[0] for line in library.run("versions", "report").lines] == ["report@1", "report@3", "report@4"]
    assert library.run("versions", "nobody").code == 3
    assert library.run("versions", "--remove", 1).code == 2
    assert library.run("versions", "report", "--remove", 1, "--restore", 1).code == 2


def test_a_version_is_got_by_name(library: Library) -> None:
    library.add(SMALL, "a.txt", "--as", "my notes.txt")
    library.add(NEWER, "b.txt", "--as", "my notes.txt")
    assert library.run("cat", "my notes.txt@1").out == SMALL
    assert library.run("cat", "my notes.txt").out == NEWER
    target = library.folder / "got"
    assert library.run("get", "my notes.txt@1", "-o", target).code == 0
    assert target.read_bytes() == SMALL
    assert library.run("get", "my notes.txt@7", "-o", target, "-f").code == 3


def test_a_difference_of_texts(library: Library) -> None:
    library.add(SMALL, "d.txt", "--as", "diffed")
    library.add(SMALL.replace(b"two", b"2"), "d.txt", "--as", "diffed")
    outcome = library.run("diff", "diffed@1", "diffed@2")
    assert outcome.code == 0
    assert outcome.lines[-5:] == ["@@ -1,3 +1,3 @@", " one", "-two", "+2", " three"]
    assert library.json("diff", "diffed@1", "diffed")[0]["shared_chunks"] == 0


def test_a_difference_of_large_files_is_of_chunks(library: Library) -> None:
    a, b = library.add(TEXT, "lines.txt")["cid"], library.add(NEWER, "newer.txt")["cid"]
    outcome = library.run("diff", a, b, "--chunks")
    assert any(line.startswith("shared") and "1 chunk" in line for line in outcome.lines)
    assert [line[0] for line in outcome.lines[5:]] == ["-", "-", "+", "+"]
    assert library.run("diff", a, "nobody").code == 3


def test_a_delta_is_made_and_applied(library: Library) -> None:
    a, b = library.add(TEXT, "old.txt")["cid"], library.add(NEWER, "new.txt")["cid"]
    made = library.json("delta", "make", a, b)[0]
    assert (made["target"], made["size"] < 1000) == (b, True)
    assert library.run("rm", b).code == 0
    assert library.run("delta", "apply", a, made["cid"]).lines[0].split()[0] == b
    assert library.run("cat", b).out == NEWER
    assert library.run("delta", "apply", b, made["cid"]).code == 2


def test_adding_tells_how_much_was_new(library: Library) -> None:
    data = bytes(range(256)) * 4096 + b"a tail of its own"
    first = library.add(data, "fresh.bin")
    assert (first["known"], first["new_bytes"] > 0) == (False, True)
    again = library.add(data, "other name.bin")
    assert (again["cid"], again["known"], again["new_blocks"], again["new_bytes"]) == (first["cid"], True, 0, 0)
    grown = library.add(data + b"!", "grown.bin")
    assert (grown["new_blocks"], grown["new_bytes"]) == (1, 18)
    outcome = library.run("add", library.folder / "fresh.bin")
    assert "already here" in outcome.err
    names = [item["other_names"] for item in library.json("search", "other name")]
    assert names == [["other name.bin"]]
