"""Many files in one request: in order, each with its own outcome, given up when the client leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from chiral.api.batch import GROUP_FILES, SMALL_BYTES
from chiral.api.routes.files import MAX_BATCH_FILES
from chiral.errors import StoreFullError
from tests.api.conftest import Served


def lines_of(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


def items_of(answer: httpx.Response) -> list[Any]:
    return [line["value"] for line in lines_of(answer) if line["type"] == "item"]


def asked(*paths: Path) -> dict[str, Any]:
    return {"items": [{"path": str(path)} for path in paths]}


async def test_outcomes_come_in_the_order_asked(served: Served, tmp_path: Path) -> None:
    paths = [tmp_path / f"f{number}" for number in range(2 * GROUP_FILES + 3)]
    for number, path in enumerate(paths):
        # Now and then a large one, which takes another way and longer.
        path.write_bytes(number.to_bytes(2) * (SMALL_BYTES if number % 50 == 1 else 1))
    async with served.unix() as client:
        answer = await client.post("/files/batch", json=asked(*paths))
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [item["added"]["name"] for item in items_of(answer)] == [path.name for path in paths]
    assert all(item["error"] is None for item in items_of(answer))
    assert lines_of(answer)[-1] == {"type": "result", "value": {"added": len(paths), "failed": 0}}
    assert max(served.node.files.groups) == GROUP_FILES


async def test_progress_is_of_all_bytes(served: Served, tmp_path: Path) -> None:
    for name, size in (("small", 1000), ("large", SMALL_BYTES + 1)):
        (tmp_path / name).write_bytes(bytes(size))
    async with served.unix() as client:
        answer = await client.post("/files/batch", json=asked(tmp_path / "small", tmp_path / "large"))
    shown = [line for line in lines_of(answer) if line["type"] == "progress"]
    assert shown
    assert {line["total"] for line in shown} == {SMALL_BYTES + 1001}
    done = [line["done"] for line in shown]
    assert done == sorted(done)
    assert done[-1] <= SMALL_BYTES + 1001


async def test_a_file_that_fails_stops_no_other(served: Served, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "two").write_bytes(b"2")
    (tmp_path / "folder").mkdir()
    paths = [tmp_path / "one", tmp_path / "missing", tmp_path / "folder", Path("relative"), tmp_path / "two"]
    token = served.data_dir / "api.token"
    async with served.unix() as client:
        answer = await client.post("/files/batch", json=asked(*paths, token))
    codes = [None if item["error"] is None else item["error"]["code"] for item in items_of(answer)]
    assert codes == [None, "file_access", "file_access", "usage", None, "forbidden"]
    assert all(
        (item["added"] is None) == (code is not None) for item, code in zip(items_of(answer), codes, strict=True)
    )
    assert set(items_of(answer)[1]["error"]) == {"code", "message", "hint"}
    assert lines_of(answer)[-1]["value"] == {"added": 2, "failed": 4}


async def test_a_group_that_fails_is_added_one_by_one(served: Served, tmp_path: Path) -> None:
    (tmp_path / "some").write_bytes(b"some")
    (tmp_path / "empty").write_bytes(b"")
    served.node.files.fault = StoreFullError("no space left", hint="free some")
    async with served.unix() as client:
        answer = await client.post("/files/batch", json=asked(tmp_path / "some", tmp_path / "empty"))
    first, second = items_of(answer)
    assert first["error"] == {"code": "store_full", "message": "no space left", "hint": "free some"}
    assert second["added"]["size"] == 0


async def test_names_may_be_given(served: Served, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    async with served.unix() as client:
        answer = await client.post("/files/batch", json={"items": [{"path": str(tmp_path / "one"), "name": "other"}]})
    assert items_of(answer)[0]["added"]["name"] == "other"


@pytest.mark.parametrize("size", [1, SMALL_BYTES + 1])
async def test_leaving_cancels_and_the_node_goes_on(served: Served, tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(bytes(size))
    files = served.node.files
    files.stall_at = 0
    async with (
        served.unix() as client,
        client.stream("POST", "/files/batch", json=asked(tmp_path / "file")) as answer,
    ):
        assert answer.status_code == 200
        await files.stalled.wait()
    with trio.fail_after(5):
        await files.cancelled.wait()
    assert not files.local
    files.stall_at = None
    async with served.unix() as client:
        again = await client.post("/files/batch", json=asked(tmp_path / "file"))
    assert lines_of(again)[-1]["value"] == {"added": 1, "failed": 0}


async def test_local_paths_are_not_taken_over_tcp(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    async with served.tcp() as client:
        answer = await client.post("/files/batch", json=asked(tmp_path / "file"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("count", [0, MAX_BATCH_FILES + 1])
async def test_too_few_and_too_many(served: Served, count: int) -> None:
    async with served.unix() as client:
        answer = await client.post("/files/batch", json=asked(*[Path("/x")] * count))
    assert (answer.status_code, answer.json()["code"]) == (400, "usage")
