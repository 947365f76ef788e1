"""The routes of files, over real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from chiral.block.cid import CID
from chiral.errors import FileAccessError, StoreFullError
from tests.api.conftest import Served
from tests.fakes.files import CHUNK_BYTES

DATA = bytes(range(256)) * 4096


def lines_of(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_adding_a_path_answers_with_progress_and_the_result(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "some file.bin"
    file.write_bytes(DATA)
    async with served.unix() as client:
        answer = await client.post("/files", json={"path": str(file)})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    *before, last = lines_of(answer)
    assert all(line["type"] == "progress" and line["total"] == len(DATA) for line in before)
    assert last["type"] == "result"
    expected = {"dag_cid": None, "name": "some file.bin", "size": len(DATA), "chunks": 4, "new_blocks": 4}
    novelty = {"new_bytes": len(DATA), "known": False}
    assert last["value"] == {"cid": str(next(iter(served.node.files.local))), **expected, **novelty}


async def test_a_link_is_added_under_its_own_name(served: Served, tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    async with served.unix() as client:
        answer = await client.post("/files", json={"path": str(tmp_path / "link")})
    assert lines_of(answer)[-1]["value"]["name"] == "link"


async def test_a_fault_before_the_first_line_has_its_status(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    served.node.files.fault = StoreFullError("no space left", hint="free some")
    async with served.unix() as client:
        answer = await client.post("/files", json={"path": str(tmp_path / "file")})
    assert answer.status_code == 507
    assert answer.json() == {"code": "store_full", "message": "no space left", "hint": "free some"}


async def test_a_fault_after_the_first_line_is_the_last_line(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    served.node.files.stall_at = 2
    async with (
        served.unix() as client,
        client.stream("POST", "/files", json={"path": str(tmp_path / "file")}) as answer,
    ):
        lines = answer.aiter_lines()
        assert json.loads(await anext(lines))["type"] == "progress"


async def test_cutting_the_connection_cancels_the_add(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    served.node.files.stall_at = 1
    async with (
        served.unix() as client,
        client.stream("POST", "/files", json={"path": str(tmp_path / "file")}) as answer,
    ):
        assert answer.status_code == 200
        await served.node.files.stalled.wait()
    with trio.fail_after(5):
        await served.node.files.cancelled.wait()
    assert not served.node.files.local


async def test_cutting_the_connection_before_any_answer_cancels_too(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    served.node.files.stall_at = 0
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            async with served.unix() as client:
                await client.post("/files", json={"path": str(tmp_path / "file")}, timeout=None)

        nursery.start_soon(ask)
        await served.node.files.stalled.wait()
        nursery.cancel_scope.cancel()
    with trio.fail_after(5):
        await served.node.files.cancelled.wait()


@pytest.mark.parametrize("transport", ["tcp", "unix"])
async def test_an_upload_is_streamed(served: Served, transport: str) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield DATA

    async with getattr(served, transport)() as client:
        answer = await client.put("/files", params={"name": "up.bin"}, content=parts())
    assert answer.status_code == 201
    assert answer.json()["size"] == 100 * len(DATA)
    assert CID.parse(answer.json()["cid"]) in served.node.files.local
    assert served.node.files.largest_part <= 64 * 1024


async def test_an_empty_upload_is_an_empty_file(served: Served) -> None:
    async with served.tcp() as client:
        answer = await client.put("/files", params={"name": "nothing"})
    assert (answer.json()["size"], answer.json()["chunks"]) == (0, 0)


async def test_an_upload_that_is_cut_leaves_nothing(served: Served) -> None:
    stream = await served.connect()
    await stream.send_all(served.head("PUT", "/files?name=x", "Transfer-Encoding: chunked\r\n") + b"3\r\nabc\r\n")
    await stream.aclose()
    with trio.fail_after(5):
        await served.node.files.cut.wait()
    assert not served.node.files.local


async def test_an_upload_that_ends_early_of_its_length_leaves_nothing(served: Served) -> None:
    stream = await served.connect()
    await stream.send_all(served.head("PUT", "/files?name=x", "Content-Length: 10\r\n") + b"abc")
    await stream.aclose()
    with trio.fail_after(5):
        await served.node.files.cut.wait()
    assert not served.node.files.local


async def test_a_refused_upload_is_answered_though_it_was_not_read(served: Served) -> None:
    served.node.files.fault = StoreFullError("no space left")

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield DATA

    async with served.tcp() as client:
        answer = await client.put("/files", params={"name": "x"}, content=parts())
    assert answer.status_code == 507


async def test_listing_goes_page_by_page(served: Served) -> None:
    held = {str(served.node.files.hold(bytes([number]), f"file {number}")) for number in range(5)}
    seen: list[str] = []
    after: str | None = ""
    async with served.unix() as client:
        while after is not None:
            page = (await client.get("/files", params={"after": after, "limit": 2})).json()
            assert len(page["items"]) <= 2
            seen += [item["cid"] for item in page["items"]]
            after = page["next"]
    assert len(seen) == 5
    assert set(seen) == held


async def test_one_file_and_its_chunks(served: Served) -> None:
    cid = served.node.files.hold(DATA, "f")
    async with served.unix() as client:
        entry = (await client.get(f"/files/{cid}")).json()
        first = (await client.get(f"/files/{cid}/chunks", params={"limit": 3})).json()
        rest = (await client.get(f"/files/{cid}/chunks", params={"start": first["next"], "limit": 3})).json()
    assert (entry["name"], entry["size"], entry["chunks"]) == ("f", len(DATA), 4)
    assert [item["size"] for item in first["items"] + rest["items"]] == [CHUNK_BYTES] * 4
    assert rest["next"] is None


@pytest.mark.parametrize("path", ["", "/chunks"])
async def test_a_file_that_is_not_held(served: Served, path: str) -> None:
    async with served.unix() as client:
        answer = await client.get(f"/files/{CID.of(b'x')}{path}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_removing(served: Served) -> None:
    cid = served.node.files.hold(b"x", "f")
    async with served.tcp() as client:
        assert (await client.delete(f"/files/{cid}")).json()["name"] == "f"
        assert (await client.delete(f"/files/{cid}")).status_code == 404


async def test_a_file_that_vanishes_between_check_and_reading(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    served.node.files.fault = FileAccessError("cannot read it")
    async with served.unix() as client:
        answer = await client.post("/files", json={"path": str(tmp_path / "file")})
    assert (answer.status_code, answer.json()["code"]) == (422, "file_access")


@pytest.mark.parametrize(
    "query", [{"after": "zz"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"after": "a" * 600}]
)
async def test_bad_pages(served: Served, query: dict[str, str]) -> None:
    async with served.unix() as client:
        answer = await client.get("/files", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "usage")


@pytest.mark.parametrize(
    "cid", ["nonsense", "bafk", "Qm", "a" * 600, "%00", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52z"]
)
async def test_bad_cids(served: Served, cid: str) -> None:
    async with served.unix() as client:
        answer = await client.get(f"/files/{cid}")
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "hint"}
