"""The routes of the catalogue, of versions, differences and deltas, over a real node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from chiral.api.endpoint import read_token
from chiral.api.server import serve_api
from chiral.block.cid import CID
from chiral.node.node import Node
from tests.scenarios.swarm import config

TEXT = b"".join(b"line %d\n" % number for number in range(50_000))
NEWER = TEXT.replace(b"line 40000\n", b"a line of its own\n")
MISSING = str(CID.of(b"missing"))


@dataclass(frozen=True, slots=True)
class Api:
    """A client of a running node's API."""

    node: Node
    client: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query)

    async def json(self, path: str, **query: Any) -> Any:
        answer = await self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self.client.post(path, json=body)

    async def add(self, data: bytes, name: str) -> str:
        """Add a file; its CID."""
        answer = await self.client.put("/files", params={"name": name}, content=data)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["cid"])


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with Node(config(tmp_path / "node")) as node, serve_api(node, trio.Event(), {}) as endpoint:
        headers = {"authorization": f"Bearer {read_token(node.config.data_dir / 'api.token')}"}
        async with httpx.AsyncClient(base_url=f"{endpoint.url}/api/v1", headers=headers, timeout=30) as client:
            yield Api(node, client)


async def test_searching_page_by_page(api: Api) -> None:
    cids = [await api.add(b"%d" % number, f"Note {number}.txt") for number in range(5)]
    await api.add(b"other", "other.png")
    seen: list[str] = []
    after = ""
    while True:
        page = await api.json("/catalogue", text="note", after=after, limit=2)
        if seen:  # a page goes on where the last ended, whatever became of what it ended with
            await api.node.files.remove(CID.parse(seen[-1]))
        seen += [item["cid"] for item in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert sorted(seen) == sorted(cids)


async def test_searching_by_all_that_can_be_asked(api: Api) -> None:
    cid = await api.add(TEXT, "lines.txt")
    await api.add(b"x", "small.png")
    assert (await api.post(f"/catalogue/{cid}/tags", {"add": ["red", "big"]})).status_code == 200
    query = {"mime": "text/*", "tag": ["red", "big"], "kind": "file", "larger": 1000, "smaller": len(TEXT)}
    found = await api.json("/catalogue", **query, since=0, before=1 << 40)
    assert [item["cid"] for item in found["items"]] == [cid]
    for nothing in ({"tag": "blue"}, {"since": 1 << 40}, {"larger": 1 << 40}, {"kind": "dag"}, {"mime": "video"}):
        assert (await api.json("/catalogue", **nothing))["items"] == []


@pytest.mark.parametrize(
    "query", [{"larger": -1}, {"kind": "tree"}, {"after": "no"}, {"after": "5-no"}, {"limit": 0}, {"text": "a" * 600}]
)
async def test_what_cannot_be_asked(api: Api, query: dict[str, Any]) -> None:
    answer = await api.get("/catalogue", **query)
    assert (answer.status_code, answer.json()["code"]) in ((400, "usage"), (400, "invalid_cid"))


async def test_a_file_is_shown_by_either_root(api: Api) -> None:
    cid = await api.add(TEXT, "lines.txt")
    entry = await api.json(f"/catalogue/{cid}")
    assert (entry["name"], entry["mime"], entry["kind"], entry["expires_at"]) == (
        "lines.txt",
        "text/plain",
        "file",
        None,
    )
    assert entry["dag_cid"] is not None
    assert await api.json(f"/catalogue/{entry['dag_cid']}") == entry
    assert (await api.get(f"/catalogue/{MISSING}")).status_code == 404


async def test_a_view_names_what_is_damaged_and_missing(api: Api) -> None:
    cid = await api.add(TEXT, "lines.txt")
    whole = await api.json(f"/catalogue/{cid}/view")
    assert (whole["state"], whole["damaged"], whole["missing"]) == ("whole", 0, 0)
    assert (whole["chunk_bytes"], whole["last_chunk_bytes"]) == (256 << 10, len(TEXT) % (256 << 10))
    await api.node.blockstore.delete_many([CID.parse(whole["first_chunks"][1])])
    found = await api.json(f"/catalogue/{cid}/view")
    assert (found["state"], found["missing_cids"]) == ("missing", [whole["first_chunks"][1]])
    assert (await api.get(f"/catalogue/{MISSING}/view")).status_code == 404


async def test_a_lifetime_is_given_and_taken(api: Api) -> None:
    cid = await api.add(b"x", "x")
    entry = (await api.client.put(f"/catalogue/{cid}/lifetime", json={"lifetime_s": 3600})).json()
    assert entry["expires_at"] - entry["added_at"] in range(3600, 3700)
    entry = (await api.client.put(f"/catalogue/{cid}/lifetime", json={"lifetime_s": None})).json()
    assert entry["expires_at"] is None
    for wrong in (0, -1, "soon"):
        answer = await api.client.put(f"/catalogue/{cid}/lifetime", json={"lifetime_s": wrong})
        assert answer.status_code == 400


async def test_all_is_said_of_a_file_at_once(api: Api) -> None:
    cid = await api.add(b"x", "x")
    said = {"tags": ["red"], "lifetime_s": 60, "version_of": "report"}
    described = (await api.post(f"/catalogue/{cid}/description", said)).json()
    assert described["file"]["tags"] == ["red"]
    assert (described["version"]["name"], described["version"]["number"]) == ("report", 1)
    assert (await api.post(f"/catalogue/{MISSING}/description", said)).status_code == 404
    assert (await api.post(f"/catalogue/{cid}/description", {"tags": ["\n"]})).json()["code"] == "usage"


async def test_versions(api: Api) -> None:
    cids = [await api.add(b"%d" % number, "x") for number in range(3)]
    for cid in cids:
        assert (await api.post("/versions", {"name": "report", "cid": cid})).status_code == 201
    page = await api.json("/versions", name="report", limit=2)
    assert [item["cid"] for item in page["items"]] == cids[:2]
    assert [item["number"] for item in (await api.json("/versions", name="report", after=page["next"]))["items"]] == [3]
    assert await api.json("/versions/resolve", text="report@1") == {"cid": cids[0]}
    restored = (await api.post("/versions/restore", {"name": "report", "number": 1})).json()
    assert (restored["number"], restored["cid"]) == (4, cids[0])
    assert (await api.client.request("DELETE", "/versions", params={"name": "report", "number": 4})).status_code == 200
    assert await api.json("/versions/resolve", text="report") == {"cid": cids[2]}
    assert (await api.json("/versions/names"))["items"] == [{"name": "report", "latest": 3}]
    await api.node.files.remove(CID.parse(cids[1]))
    held = [item["held"] for item in (await api.json("/versions", name="report"))["items"]]
    assert held == [True, False, True]


async def test_versions_that_are_not_there(api: Api) -> None:
    assert (await api.json("/versions", name="nobody"))["items"] == []
    assert (await api.get("/versions/resolve", text="nobody")).status_code == 404
    assert (await api.post("/versions", {"name": "report", "cid": MISSING})).status_code == 404
    assert (await api.post("/versions/restore", {"name": "report", "number": 1})).status_code == 404
    assert (await api.client.request("DELETE", "/versions", params={"name": "report", "number": 1})).status_code == 404


async def test_a_difference(api: Api) -> None:
    a, b = await api.add(TEXT, "old.txt"), await api.add(NEWER, "new.txt")
    await api.post("/versions", {"name": "lines", "cid": b})
    found = await api.json("/difference", a=a, b="lines@1")
    assert (found["a"]["cid"], found["b"]["cid"]) == (a, b)
    assert found["shared_chunks"] == 1
    assert found["new_bytes"] == sum(chunk["size"] for chunk in found["only_b"])
    assert (await api.get("/difference", a=a, b=MISSING)).status_code == 404


async def test_a_delta_is_made_and_applied(api: Api) -> None:
    a, b = await api.add(TEXT, "old.txt"), await api.add(NEWER, "new.txt")
    made = (await api.post("/deltas", {"base": a, "target": b})).json()
    assert (made["base"], made["target"], made["target_size"]) == (a, b, len(NEWER))
    assert made["size"] < 1000
    await api.node.files.remove(CID.parse(b))
    entry = (await api.post("/deltas/apply", {"base": a, "delta": made["cid"]})).json()
    assert (entry["cid"], entry["name"]) == (b, "new.txt")
    assert (await api.json(f"/catalogue/{b}/view"))["state"] == "whole"
    refused = await api.post("/deltas/apply", {"base": a, "delta": a})
    assert refused.json()["code"] == "malformed"


async def test_what_has_expired_is_gone(api: Api) -> None:
    cid = await api.add(TEXT, "lines.txt")
    root = CID.parse(cid)
    await api.node.catalogue.amend(root, lambda record: replace(record, expires_at=1))
    await api.node.expiry.sweep()
    assert (await api.get(f"/catalogue/{cid}")).status_code == 404
