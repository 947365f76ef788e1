"""The routes of directories, paths below a CID, parts of files and options of adding, over real sockets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from chiral.api.byte_range import span_of
from chiral.block.cid import CID, DAG_PB
from chiral.chunker.fixed import FixedChunker
from chiral.errors import MalformedContentError
from chiral.files.results import EntryFound
from chiral.files.span import WHOLE, Span
from tests.api.conftest import Served

DATA = bytes(range(256)) * 4096
ROOT = CID.of(b"a directory", DAG_PB)


def lines_of(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


class TestAdding:
    async def test_a_directory(self, served: Served, tmp_path: Path) -> None:
        folder = tmp_path / "tree"
        folder.mkdir()
        (folder / "a").write_bytes(b"a")
        (folder / "bad").symlink_to("nowhere")
        async with served.unix() as client:
            asked = {"path": str(folder), "hidden": True, "ignore": ["*.o"], "chunker": "size-2048", "mtime": True}
            last = lines_of(await client.post("/files/tree", json=asked))[-1]
        assert last["type"] == "result"
        told = last["value"]
        assert (told["name"], told["files"], told["failed"], told["size"]) == ("tree", 1, 1, 1)
        assert told["cid"] == told["dag_cid"]
        assert told["faults"][0]["path"] == str(folder / "bad")
        assert told["faults"][0]["error"]["code"] == "file_access"
        [options] = served.node.files.trees
        assert (options.hidden, options.ignore, options.wrap) == (True, ("*.o",), False)
        assert (options.adding.chunker, options.adding.mtime, options.adding.mode) == (FixedChunker(2048), True, False)

    async def test_the_data_directory_is_barred(self, served: Served, tmp_path: Path) -> None:
        async with served.unix() as client:
            for path in (served.data_dir, served.data_dir / "api.token"):
                assert (await client.post("/files/tree", json={"path": str(path)})).status_code == 403
            await client.post("/files/tree", json={"path": str(tmp_path)})
        [options] = served.node.files.trees
        for path, inside in ((served.data_dir, True), (served.data_dir / "api.token", True), (tmp_path, False)):
            status = path.stat()
            assert options.barred(status.st_dev, status.st_ino) is inside

    @pytest.mark.parametrize("asked", [{"path": "tree"}, {"path": "/none/at/all"}, {"path": "/tmp", "chunker": "x"}])
    async def test_what_cannot_be_added(self, served: Served, asked: dict[str, str]) -> None:
        async with served.unix() as client:
            assert (await client.post("/files/tree", json=asked)).status_code in (400, 422)

    async def test_local_paths_are_for_the_unix_socket(self, served: Served, tmp_path: Path) -> None:
        async with served.tcp() as client:
            assert (await client.post("/files/tree", json={"path": str(tmp_path)})).status_code == 403

    async def test_options_reach_every_way_of_adding(self, served: Served, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"f")
        how = {"chunker": "size-4096", "raw_leaves": False, "only_hash": True}
        async with served.unix() as client:
            await client.post("/files", json={"path": str(tmp_path / "f"), **how})
            await client.post("/files/batch", json={"items": [{"path": str(tmp_path / "f")}], **how})
        async with served.tcp() as client:
            query = {"name": "f", "chunker": "size-4096", "raw_leaves": "false", "only_hash": "true"}
            assert (await client.put("/files", params=query, content=b"f")).status_code == 201
        assert len(served.node.files.options) == 3
        for options in served.node.files.options:
            assert options.chunker == FixedChunker(4096)
            assert not options.profile.raw_leaves
            assert options.only_hash

    async def test_options_that_are_none(self, served: Served) -> None:
        async with served.tcp() as client:
            for query in ({"chunker": "x"}, {"profile": "x"}, {"cid_version": "2"}, {"colour": "red"}, {"name": ""}):
                answer = await client.put("/files", params={"name": "f", **query}, content=b"f")
                assert (answer.status_code, answer.json()["code"]) == (400, "usage")


class TestListing:
    async def test_entries(self, served: Served) -> None:
        file = CID.of(b"f")
        served.node.files.directories[ROOT, ("d",)] = [
            EntryFound("f\ud800", file, "file", 4, 4),
            EntryFound("l", ROOT, "symlink", 3, None),
        ]
        async with served.tcp() as client:
            *items, last = lines_of(await client.get(f"/files/{ROOT}/entries", params={"path": "./d//"}))
        assert [item["value"] for item in items if item["type"] == "item"] == [
            {"name": "f?", "cid": str(file), "type": "file", "size": 4, "total_size": 4},
            {"name": "l", "cid": str(ROOT), "type": "symlink", "size": 3, "total_size": None},
        ]
        assert last == {"type": "result", "value": {"count": 2}}

    async def test_what_is_none(self, served: Served) -> None:
        async with served.tcp() as client:
            assert (await client.get(f"/files/{ROOT}/entries")).status_code == 404
            assert (await client.get(f"/files/{ROOT}/entries", params={"path": "a/../b"})).status_code == 400

    async def test_a_fault_on_the_way_is_the_last_line(self, served: Served) -> None:
        many = [EntryFound(f"{number}", ROOT, "file", 4, 4) for number in range(600)]
        served.node.files.directories[ROOT, ()] = many
        served.node.files.fault, served.node.files.fault_at = MalformedContentError("odd"), 300
        async with served.tcp() as client:
            *items, last = lines_of(await client.get(f"/files/{ROOT}/entries"))
        assert len(items) == 256
        assert (last["type"], last["error"]["code"]) == ("error", "malformed")


class TestParts:
    @pytest.mark.parametrize(
        ("header", "first", "last"),
        [("bytes=0-0", 0, 0), ("bytes=5-", 5, len(DATA) - 1), ("bytes=-7", len(DATA) - 7, len(DATA) - 1)],
    )
    async def test_a_range(self, served: Served, header: str, first: int, last: int) -> None:
        cid = served.node.files.hold(DATA, "f")
        async with served.tcp() as client:
            answer = await client.get(f"/files/{cid}/content", headers={"range": header})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(DATA)}"
        assert answer.headers["content-length"] == str(last - first + 1)
        assert answer.content == DATA[first : last + 1]

    async def test_a_range_behind_the_end(self, served: Served) -> None:
        cid = served.node.files.hold(DATA, "f")
        async with served.tcp() as client:
            answer = await client.get(f"/files/{cid}/content", headers={"range": f"bytes={len(DATA)}-"})
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{len(DATA)}"

    async def test_offset_and_length(self, served: Served) -> None:
        cid = served.node.files.hold(DATA, "f")
        async with served.tcp() as client:
            for offset, length in ((0, 10), (1000, 300_000), (len(DATA), 5), (3, 0)):
                query = {"offset": offset, "length": length}
                answer = await client.get(f"/files/{cid}/content", params=query)
                assert (answer.status_code, answer.content) == (200, DATA[offset : offset + length])
            assert (await client.get(f"/files/{cid}/content")).headers["accept-ranges"] == "bytes"

    async def test_a_path_below(self, served: Served, tmp_path: Path) -> None:
        served.node.files.paths[ROOT, ("d", "f")] = served.node.files.hold(b"inside", "f")
        async with served.unix() as client:
            assert (await client.get(f"/files/{ROOT}/content", params={"path": "d/f"})).content == b"inside"
            body = {"path": str(tmp_path / "out"), "inside": "d/f", "unsafe_links": True}
            last = lines_of(await client.post(f"/files/{ROOT}/save", json=body))[-1]
        assert last["value"]["files"] is None
        assert (tmp_path / "out").read_bytes() == b"inside"
        assert served.node.files.unsafe_links == [True]


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, WHOLE),
        ("bytes=0-9", Span(0, 10)),
        ("Bytes = 3 - ", Span(3)),
        ("bytes=-5", Span(-5)),
        ("bytes=9-3", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=-0", WHOLE),
        ("bytes=0-1,3-4", WHOLE),
        ("lines=1-2", WHOLE),
        ("bytes=0-9999999999999999999999", WHOLE),
        ("bytes=\u0663-", WHOLE),
        ("", WHOLE),
    ],
)
def test_range_headers(header: str | None, span: Span) -> None:
    assert span_of(header) == span
