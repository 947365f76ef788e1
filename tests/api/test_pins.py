"""The routes of pins, over real sockets."""

from __future__ import annotations

import json

import httpx

from chiral.block.block import Block
from tests.api.conftest import Served
from tests.pinning.dags import tree


def last_line(answer: httpx.Response) -> dict[str, object]:
    return dict(json.loads(answer.text.splitlines()[-1]))


async def hold(served: Served, *blocks: Block) -> None:
    await served.node.blockstore.put_many(blocks)


async def test_pinning_listing_and_giving_up(served: Served) -> None:
    dag = tree("pinned")
    await hold(served, *dag)
    root = str(dag[0].cid)
    async with served.tcp() as client:
        added = last_line(await client.post("/pins", json={"cid": root, "name": "n"}))
        assert added["type"] == "result"
        entry = {"cid": root, "kind": "recursive", "name": "n"}
        value = added["value"]
        assert isinstance(value, dict)
        assert value.items() >= {**entry, "new": True, "blocks": len(dag)}.items()
        [shown] = (await client.get(f"/pins/{root}")).json()["items"]
        assert shown.items() >= entry.items()
        removed = (await client.delete(f"/pins/{root}", params={"name": "n"})).json()
        assert removed == {"items": [shown]}
        assert (await client.get(f"/pins/{root}")).status_code == 404
        assert (await client.delete(f"/pins/{root}")).json()["code"] == "not_found"


async def test_pages_and_kinds(served: Served) -> None:
    blocks = [Block.of(bytes([number])) for number in range(5)]
    await hold(served, *blocks)
    async with served.tcp() as client:
        for number, block in enumerate(blocks):
            kind = "direct" if number % 2 else "recursive"
            await client.post("/pins", json={"cid": str(block.cid), "kind": kind})
        seen, after = [], ""
        while after is not None:
            page = (await client.get("/pins", params={"after": after, "limit": 2})).json()
            seen += [entry["cid"] for entry in page["items"]]
            after = page["next"]
        assert sorted(seen) == sorted(str(block.cid) for block in blocks)
        direct = (await client.get("/pins", params={"kind": "direct"})).json()
        assert [entry["kind"] for entry in direct["items"]] == ["direct"] * 2
        assert direct["next"] is None
        for bad in ("zz", "00", b'["no kind","x","y"]'.hex()):
            assert (await client.get("/pins", params={"after": bad})).status_code == 400


async def test_several_pins_of_one_cid(served: Served) -> None:
    block = Block.of(b"x")
    await hold(served, block)
    async with served.tcp() as client:
        for name in ("a", "b"):
            await client.post("/pins", json={"cid": str(block.cid), "name": name})
        refused = await client.delete(f"/pins/{block.cid}")
        assert (refused.status_code, refused.json()["code"]) == (400, "usage")
        removed = await client.delete(f"/pins/{block.cid}", params={"every": True})
        assert len(removed.json()["items"]) == 2


async def test_what_cannot_be_pinned(served: Served) -> None:
    async with served.tcp() as client:
        nobody = await client.post("/pins", json={"cid": str(Block.of(b"nobody has it").cid)})
        assert (nobody.status_code, nobody.json()["code"]) == (404, "not_found")
        assert (await client.post("/pins", json={"cid": "nonsense"})).status_code == 400
        assert (await client.post("/pins", json={"cid": "x", "kind": "indirect"})).status_code == 400
