"""Archives and DAGs over HTTP: streamed and by path, whole or visibly not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from chiral.block.block import Block
from chiral.block.cid import CID, DAG_PB
from tests.api.conftest import Served
from tests.fakes.archives import file_blocks, varied

CAR = Path(__file__).parents[1] / "vectors" / "car" / "tree_cidv1.car"
TREE = CAR.read_bytes()
ROOT = "bafybeibno3nn4qyj7vgu7uera7ioumu5ra66umvwicynitpjmbycgzb6si"


def last_line(answer: httpx.Response) -> Any:
    return json.loads(answer.text.splitlines()[-1])


@pytest.mark.parametrize("transport", ["tcp", "unix"])
async def test_in_and_out_again(served: Served, transport: str) -> None:
    async with getattr(served, transport)() as client:
        taken = await client.put("/dag/import", content=TREE, params={"name": "tree"})
        given = await client.get(f"/dag/export/{ROOT}", params={"offline": True})
    assert taken.status_code == 200
    assert taken.json()["roots"] == [{"cid": ROOT, "here": True, "whole": True, "pinned": True}]
    assert (taken.json()["new"], taken.json()["known"], taken.json()["missing"]["count"]) == (
        taken.json()["blocks"],
        0,
        0,
    )
    assert given.content == TREE
    assert given.headers["content-type"] == "application/vnd.ipld.car; version=1"
    assert ROOT in given.headers["content-disposition"]


async def test_an_upload_is_of_any_length(served: Served) -> None:
    root, blocks = file_blocks(varied(5_200_000), 256 << 10)
    await served.node.blockstore.put_many(blocks)
    async with served.tcp() as client:
        given = await client.get(f"/dag/export/{root}", params={"offline": True, "car_version": 2})
        taken = await client.put("/dag/import", content=given.content)
    assert len(given.content) > 5_000_000
    assert (taken.json()["version"], taken.json()["known"]) == (2, len(blocks))


async def test_by_path(served: Served, tmp_path: Path) -> None:
    out = tmp_path / "out.car"
    async with served.unix() as client:
        taken = last_line(await client.post("/dag/import", json={"path": str(CAR)}))
        given = last_line(await client.post(f"/dag/export/{ROOT}", json={"path": str(out), "offline": True}))
        again = await client.post(f"/dag/export/{ROOT}", json={"path": str(out)})
        forced = last_line(await client.post(f"/dag/export/{ROOT}", json={"path": str(out), "overwrite": True}))
    assert taken["value"]["roots"][0]["cid"] == ROOT
    assert given["value"]["size"] == len(TREE)
    assert (given["value"]["path"], given["value"]["root"]) == (str(out), ROOT)
    assert again.json()["code"] == "file_access"
    assert forced["type"] == "result"
    assert out.read_bytes() == TREE


async def test_paths_are_taken_over_the_socket_only(served: Served) -> None:
    async with served.tcp() as client:
        for path in ("/dag/import", f"/dag/export/{ROOT}"):
            assert (await client.post(path, json={"path": "/tmp/x"})).status_code == 403


async def test_what_is_missing(served: Served, tmp_path: Path) -> None:
    root, blocks = file_blocks(bytes(range(250)) * 10, 100)
    leaves = [block.cid for block in blocks if block.cid.codec != DAG_PB]
    await served.node.blockstore.put_many(block for block in blocks if block.cid != leaves[2])
    async with served.unix() as client:
        url = f"/dag/export/{root}"
        failed = await client.post(url, json={"path": str(tmp_path / "a"), "offline": True})
        partly = await client.post(url, json={"path": str(tmp_path / "b"), "partial": True})
        stat = await client.get(f"/dag/stat/{root}", params={"offline": True})
        nothing = await client.get(f"/dag/export/{CID.of(b'x', DAG_PB)}", params={"offline": True})
        nobody = await client.get(f"/dag/export/{CID.of(b'x', DAG_PB)}")
    fault = last_line(failed).get("error", last_line(failed))
    assert fault["code"] == "not_found"
    assert str(leaves[2]) in fault["message"]
    assert last_line(partly)["value"]["missing"] == {"count": 1, "first": [str(leaves[2])]}
    assert last_line(stat)["value"]["missing"]["count"] == 1
    assert (nothing.status_code, nothing.json()["code"]) == (404, "not_found")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "no_providers")
    assert [(tmp_path / name).exists() for name in "ab"] == [False, True]


async def test_an_archive_that_breaks_off_says_why(served: Served) -> None:
    root, blocks = file_blocks(bytes(range(250)) * 10, 100)
    rotten = next(block for block in blocks if block.cid.codec != DAG_PB)
    await served.node.blockstore.put_many(blocks)
    await served.node.blockstore.delete_many([rotten.cid])
    async with (
        served.tcp() as client,
        client.stream("GET", f"/dag/export/{root}", params={"offline": True}) as answer,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await answer.aread()
        async with served.tcp() as other:
            why = await other.get(f"/downloads/{answer.headers['chiral-download']}")
    assert why.json()["code"] == "not_found"
    assert str(rotten.cid) in why.json()["message"]


@pytest.mark.parametrize(
    ("archive", "code"),
    [
        (b"", "malformed"),
        (b"no archive at all", "malformed"),
        (TREE[:-1], "malformed"),
        (TREE[:-1] + b"!", "integrity"),
    ],
)
async def test_archives_that_are_none_or_damaged(served: Served, archive: bytes, code: str) -> None:
    async with served.tcp() as client:
        answer = await client.put("/dag/import", content=archive)
    assert answer.json()["code"] == code
    assert answer.json()["message"].endswith("sound blocks of the archive are kept")


async def test_stat(served: Served) -> None:
    root, blocks = file_blocks(bytes(100_000), 100)
    await served.node.blockstore.put_many(blocks)
    async with served.tcp() as client:
        lines = [json.loads(line) for line in (await client.get(f"/dag/stat/{root}")).text.splitlines()]
    stat = lines[-1]["value"]
    assert (stat["cid"], stat["layout"], stat["blocks"], stat["depth"]) == (str(root), "balanced", 4, 2)
    assert stat["dedup_ratio"] > 1


async def test_values(served: Served) -> None:
    leaf = Block.of(b'{"b":[1,{"/":"' + str(CID.of(b"leaf")).encode() + b'"}]}', 0x0129)
    await served.node.blockstore.put_many([leaf, Block.of(b"leaf")])
    at = f"/dag/get/{leaf.cid}"
    async with served.tcp() as client:
        whole = await client.get(at)
        number = await client.get(f"{at}/b/0")
        linked = await client.get(f"{at}/b/1", params={"output_codec": "raw"})
        cbor = await client.get(f"{at}/b/0/", params={"output_codec": "dag-cbor"})
        nowhere = await client.get(f"{at}/c")
        wrong = await client.get(at, params={"output_codec": "yaml"})
    assert whole.content == leaf.data
    assert whole.headers["content-type"] == "application/vnd.ipld.dag-json"
    assert (number.content, linked.content, cbor.content) == (b"1", b"leaf", b"\x01")
    assert (nowhere.status_code, wrong.status_code) == (404, 400)
