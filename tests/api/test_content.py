"""Files' bytes: streamed and saved, whole or visibly not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import trio

from chiral.block.cid import CID
from chiral.errors import IntegrityError, RequestTimeoutError
from tests.api.conftest import Served
from tests.fakes.files import CHUNK_BYTES

DATA = bytes(range(256)) * 4096


def last_line(answer: httpx.Response) -> Any:
    return json.loads(answer.text.splitlines()[-1])


@pytest.mark.parametrize("transport", ["tcp", "unix"])
async def test_content_is_streamed_with_its_length_and_claimed_name(served: Served, transport: str) -> None:
    cid = served.node.files.hold(DATA, "naïve\r\nX: y")
    async with getattr(served, transport)() as client:
        answer = await client.get(f"/files/{cid}/content")
    assert answer.content == DATA
    assert answer.headers["content-length"] == str(len(DATA))
    assert unquote(answer.headers["chiral-name"]) == "naïve\r\nX: y"
    assert "x" not in answer.headers
    assert answer.headers["content-disposition"] == "attachment"


async def test_a_name_with_half_a_character_harms_nothing(served: Served, tmp_path: Path) -> None:
    cid = served.node.files.hold(b"x", "half \ud800")
    async with served.unix() as client:
        read = await client.get(f"/files/{cid}/content")
        saved = await client.post(f"/files/{cid}/save", json={"path": str(tmp_path / "out")})
        listed = await client.get("/files")
    assert unquote(read.headers["chiral-name"]) == "half ?"
    assert last_line(saved)["value"]["name"] == listed.json()["items"][0]["name"] == "half ?"


async def test_empty_content(served: Served) -> None:
    cid = served.node.files.hold(b"", "nothing")
    async with served.tcp() as client:
        answer = await client.get(f"/files/{cid}/content")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_content_that_nobody_has(served: Served) -> None:
    async with served.tcp() as client:
        answer = await client.get(f"/files/{CID.of(b'x')}/content")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_providers")


async def test_a_fault_while_opening_has_its_status(served: Served) -> None:
    cid = served.node.files.hold(DATA, "f")
    served.node.files.open_fault = RequestTimeoutError("too slow")
    async with served.tcp() as client:
        answer = await client.get(f"/files/{cid}/content")
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")


async def test_a_broken_download_says_why(served: Served) -> None:
    cid = served.node.files.hold(DATA, "f")
    served.node.files.fault, served.node.files.fault_at = IntegrityError("a block is damaged"), 2
    async with served.tcp() as client:
        async with client.stream("GET", f"/files/{cid}/content") as answer:
            with pytest.raises(httpx.RemoteProtocolError):
                await answer.aread()
        why = (await client.get(f"/downloads/{answer.headers['chiral-download']}")).json()
    assert why == {"code": "integrity", "message": "a block is damaged", "hint": ""}


async def test_no_download_is_known_by_another_id(served: Served) -> None:
    async with served.tcp() as client:
        assert (await client.get("/downloads/none")).status_code == 404


async def test_a_client_that_goes_away_ends_the_fetch(served: Served) -> None:
    cid = served.node.files.hold(DATA, "f")
    served.node.files.stall_at = 2
    with trio.fail_after(10):
        async with served.tcp() as client, client.stream("GET", f"/files/{cid}/content") as answer:
            await anext(answer.aiter_bytes(CHUNK_BYTES))
            await served.node.files.stalled.wait()
        await served.node.files.cancelled.wait()


async def test_the_last_byte_comes_after_the_file_is_finished(served: Served) -> None:
    cid = served.node.files.hold(DATA, "f")
    with trio.fail_after(10):
        stream = await served.connect()
        await stream.send_all(served.head("GET", f"/files/{cid}/content"))
        got = bytearray()
        while not got.endswith(DATA[-CHUNK_BYTES:]) or len(got) < len(DATA):
            got += await stream.receive_some()
        assert served.node.files.finished == [cid]
        await stream.aclose()


async def test_saving_to_a_path(served: Served, tmp_path: Path) -> None:
    cid = served.node.files.hold(DATA, "f", local=False)
    target = tmp_path / "out"
    async with served.unix() as client:
        answer = await client.post(f"/files/{cid}/save", json={"path": str(target)})
    assert target.read_bytes() == DATA
    saved = last_line(answer)
    assert saved["type"] == "result"
    assert saved["value"] == {
        "cid": str(cid),
        "name": "f",
        "size": len(DATA),
        "path": str(target),
        "providers": 1,
        "seconds": 0.25,
        "files": None,
    }


async def test_saving_into_a_directory_takes_a_safe_and_free_name(served: Served, tmp_path: Path) -> None:
    cid = served.node.files.hold(b"x", "../../evil.txt")
    (tmp_path / "evil.txt").write_text("mine")
    async with served.unix() as client:
        answer = await client.post(f"/files/{cid}/save", json={"directory": str(tmp_path)})
    assert last_line(answer)["value"]["path"] == str(tmp_path / "evil (1).txt")
    assert (tmp_path / "evil.txt").read_text() == "mine"


async def test_an_existing_file_is_replaced_only_when_asked(served: Served, tmp_path: Path) -> None:
    cid = served.node.files.hold(b"new", "f")
    target = tmp_path / "out"
    target.write_bytes(b"old")
    async with served.unix() as client:
        refused = await client.post(f"/files/{cid}/save", json={"path": str(target)})
        assert (refused.status_code, refused.json()["code"]) == (422, "file_access")
        assert target.read_bytes() == b"old"
        await client.post(f"/files/{cid}/save", json={"path": str(target), "overwrite": True})
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"path": "/tmp/x", "directory": "/tmp"},
        {"directory": "/tmp", "overwrite": True},
        {"path": "relative"},
        {"path": "/tmp/x\0y"},
        {"path": "/tmp/x", "timeout_s": 0},
        {"path": 3},
        [],
        "text",
    ],
)
async def test_bad_save_requests(served: Served, body: object) -> None:
    cid = served.node.files.hold(b"new", "f")
    async with served.unix() as client:
        answer = await client.post(f"/files/{cid}/save", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "usage")


async def test_a_directory_that_is_not_there(served: Served, tmp_path: Path) -> None:
    cid = served.node.files.hold(b"new", "f")
    async with served.unix() as client:
        answer = await client.post(f"/files/{cid}/save", json={"path": str(tmp_path / "no" / "file")})
    assert answer.status_code == 422
    assert "create the directory" in answer.json()["hint"]
