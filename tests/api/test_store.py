"""The routes of the store's upkeep over a fake node."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from chiral.block.block import Block
from tests.api.conftest import Served
from tests.fakes.upkeep import DAMAGED


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_figures(served: Served) -> None:
    await served.node.blockstore.put_many([Block.of(b"four")])
    async with served.tcp() as client:
        shown = (await client.get("/store")).json()
    assert (shown["blocks"], shown["size_bytes"], shown["quarantined"], shown["disk_bytes"]) == (1, 4, 1, 4096)


async def test_verifying_is_started_followed_and_stopped(served: Served) -> None:
    async with served.tcp() as client:
        assert (await client.get("/store/verify")).json()["state"] == "never"
        begun = (await client.post("/store/verify", json={"rate_bytes": 1000, "repair": True})).json()
        assert (begun["state"], begun["rate_bytes"], begun["repair"]) == ("running", 1000, True)
        *progress, result = lines_of((await client.get("/store/verify/progress")).text)
        assert {line["type"] for line in progress} <= {"progress"}
        assert result["type"] == "result"
        assert (result["value"]["state"], result["value"]["names"]) == ("done", [str(DAMAGED)])
        assert (await client.get("/store/verify")).json() == result["value"]
        assert (await client.delete("/store/verify")).json()["state"] == "stopped"


async def test_following_waits_for_the_end(served: Served) -> None:
    served.node.upkeep.verifier.gate = trio.Event()
    async with served.tcp() as client:
        await client.post("/store/verify", json={})
        async with client.stream("GET", "/store/verify/progress") as answer:
            lines = answer.aiter_lines()
            first = json.loads(await anext(lines))
            assert first == {"type": "progress", "done": 0, "total": 2048}
            served.node.upkeep.verifier.gate.set()
            rest = [json.loads(line) async for line in lines]
    assert rest[-1]["value"]["state"] == "done"


async def test_following_when_nothing_is_under_way(served: Served) -> None:
    async with served.tcp() as client:
        (line,) = lines_of((await client.get("/store/verify/progress")).text)
    assert line["value"]["state"] == "never"


@pytest.mark.parametrize("wish", [{"rate_bytes": 0}, {"rate_bytes": "x"}, {"repair": "perhaps"}])
async def test_a_wish_that_cannot_be_met(served: Served, wish: dict[str, Any]) -> None:
    async with served.tcp() as client:
        answer = await client.post("/store/verify", json=wish)
    assert answer.status_code == 400
    assert answer.json()["code"] == "usage"


async def test_the_quarantine_is_listed_and_forgotten(served: Served) -> None:
    async with served.tcp() as client:
        page = (await client.get("/store/quarantine")).json()
        assert page["next"] is None
        (entry,) = page["items"]
        assert (entry["cid"], entry["size"], entry["replaced"]) == (str(DAMAGED), 7, False)
        full = (await client.get("/store/quarantine", params={"limit": 1})).json()
        assert (await client.get("/store/quarantine", params={"after": full["next"]})).json()["items"] == []
        assert (await client.delete(f"/store/quarantine/{DAMAGED}")).json() == {"done": True}
        missing = await client.delete(f"/store/quarantine/{DAMAGED}")
    assert missing.status_code == 404


async def test_compacting(served: Served) -> None:
    async with served.tcp() as client:
        *_, result = lines_of((await client.post("/store/compact")).text)
    assert result == {"type": "result", "value": {"before_bytes": 1000, "after_bytes": 600}}


async def test_backups(served: Served) -> None:
    async with served.tcp() as client:
        assert len((await client.get("/store/backups")).json()["items"]) == 1
        assert (await client.delete("/store/backups")).json() == {"freed_bytes": 500}
        assert (await client.get("/store/backups")).json() == {"items": []}
