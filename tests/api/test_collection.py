"""The routes of collections and of cleaning, over real sockets."""

from __future__ import annotations

import json

import pytest

from tests.api.conftest import Served


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_collection_is_watched_to_its_end(served: Served, dry_run: bool) -> None:
    async with served.tcp() as client:
        answer = await client.post("/collection", json={"dry_run": dry_run})
        *progress, last = [json.loads(line) for line in answer.text.splitlines()]
        assert all(line["type"] == "progress" and line["total"] == 10 for line in progress)
        value = last["value"]
        assert (last["type"], value["phase"], value["dry_run"]) == ("result", "done", dry_run)
        assert (value["freed_blocks"], value["freed_bytes"], value["seconds"]) == (3, 300, 2.0)
        state = (await client.get("/collection")).json()
        assert state == {"running": None, "last": None if dry_run else value}


async def test_start_and_stop(served: Served) -> None:
    collector = served.node.collector
    async with served.tcp() as client:
        assert (await client.post("/collection/start", json={"dry_run": True})).json()["running"] is None
        assert collector.started == [True]
        collector.busy = True
        refused = await client.post("/collection/start", json={})
        assert (refused.status_code, refused.json()["code"]) == (400, "collection_busy")
        assert (await client.post("/collection", json={})).json()["code"] == "collection_busy"
        assert (await client.post("/collection/stop")).json() == {"stopped": True}
        assert (await client.post("/collection/stop")).json() == {"stopped": False}


@pytest.mark.parametrize("deep", [False, True])
async def test_cleaning(served: Served, deep: bool) -> None:
    async with served.tcp() as client:
        answer = await client.post("/collection/clean", json={"deep": deep, "dry_run": True})
    last = json.loads(answer.text.splitlines()[-1])
    assert last["value"] == {"dry_run": True, "files": 0, "file_bytes": 0, "blocks": 3, "block_bytes": 300}
