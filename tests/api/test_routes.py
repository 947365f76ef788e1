"""The other routes: blocks, peers, DHT, figures, configuration, shutdown; and the shape of errors and of OpenAPI."""

from __future__ import annotations

from typing import Any

import pytest

from chiral.block.cid import CID, DAG_PB
from chiral.interface.peer import PeerInfo
from tests.api.conftest import Served
from tests.fakes.node import SERVER_PEER
from tests.fakes.swarm import OTHER_ADDR, OTHER_PEER


async def test_blocks_are_put_and_got(served: Served) -> None:
    async with served.tcp() as client:
        put = await client.put("/blocks", content=b"hello")
        again = await client.put("/blocks", content=b"hello")
        cid = put.json()["cid"]
        got = await client.get(f"/blocks/{cid}")
        stat = await client.get(f"/blocks/{cid}/stat")
    assert put.json() == {"cid": str(CID.of(b"hello")), "size": 5, "codec": "raw", "new": True}
    assert put.status_code == 201
    assert again.json()["new"] is False
    assert (got.content, got.headers["content-length"]) == (b"hello", "5")
    assert stat.json() == {"cid": cid, "size": 5, "codec": "raw"}


async def test_a_block_of_another_codec_and_an_empty_one(served: Served) -> None:
    async with served.tcp() as client:
        put = await client.put("/blocks", params={"codec": "dag-pb"}, content=b"hello")
        empty = await client.put("/blocks", content=b"")
        got = await client.get(f"/blocks/{empty.json()['cid']}")
    assert put.json()["cid"] == str(CID.of(b"hello", DAG_PB))
    assert got.content == b""


@pytest.mark.parametrize(
    ("params", "size", "code"), [({"codec": "nope"}, 1, "usage"), ({}, (2 << 20) + 1, "too_large")]
)
async def test_blocks_that_are_refused(served: Served, params: dict[str, str], size: int, code: str) -> None:
    async with served.tcp() as client:
        answer = await client.put("/blocks", params=params, content=bytes(size))
    assert answer.json()["code"] == code
    assert answer.status_code == (413 if code == "too_large" else 400)


async def test_the_largest_block_is_taken(served: Served) -> None:
    async with served.tcp() as client:
        answer = await client.put("/blocks", content=bytes(2 << 20))
    assert answer.json()["size"] == 2 << 20


@pytest.mark.parametrize("path", ["", "/stat"])
async def test_a_block_that_nobody_has(served: Served, path: str) -> None:
    async with served.tcp() as client:
        assert (await client.get(f"/blocks/{CID.of(b'x')}{path}")).status_code == 404


async def test_identity_and_connections(served: Served) -> None:
    async with served.tcp() as client:
        identity = (await client.get("/id")).json()
        peers = (await client.get("/peers")).json()["items"]
    assert identity["peer_id"] == str(SERVER_PEER)
    assert identity["addrs"] == [f"/ip4/127.0.0.1/tcp/4001/p2p/{SERVER_PEER}"]
    assert peers[0].pop("age_s") >= 0
    assert peers == [
        {
            "peer_id": str(OTHER_PEER),
            "addr": "/ip4/127.0.0.1/tcp/4001",
            "direction": "outbound",
            "agent": "fake/1",
            "protocols": ["/a", "/b"],
            "latency_s": 0.0015,
            "streams": 2,
        }
    ]


async def test_connecting(served: Served) -> None:
    async with served.tcp() as client:
        answer = await client.post("/peers", json={"addr": f"/ip4/127.0.0.1/tcp/4001/p2p/{OTHER_PEER}"})
        unreachable = await client.post(
            "/peers", json={"addr": f"/ip4/127.0.0.1/tcp/1/p2p/{served.node.connections.unreachable}"}
        )
        malformed = await client.post("/peers", json={"addr": "/ip4/127.0.0.1/tcp/1"})
    assert answer.json() == {"peer_id": str(OTHER_PEER), "addrs": ["/ip4/127.0.0.1/tcp/4001"]}
    assert served.node.connections.connected == [PeerInfo(OTHER_PEER, (OTHER_ADDR,))]
    assert (unreachable.status_code, unreachable.json()["code"]) == (502, "unreachable")
    assert (malformed.status_code, malformed.json()["code"]) == (400, "invalid_address")


async def test_values(served: Served) -> None:
    async with served.tcp() as client:
        put = await client.put("/dht/values/metadata:a/b", content=b"value")
        got = await client.get("/dht/values/metadata:a/b")
        missing = await client.get("/dht/values/metadata:none")
        refused = await client.put("/dht/values/other:x", content=b"value")
        too_long = await client.put("/dht/values/metadata:x", content=bytes(20_000))
        await client.put("/dht/values/metadata:empty", content=b"")
        empty = await client.get("/dht/values/metadata:empty")
    assert put.json() == {"key": b"metadata:a/b".hex(), "asked": 3, "stored": 2, "needed": 1}
    assert got.content == b"value"
    assert missing.status_code == 404
    assert refused.status_code == 400
    assert too_long.status_code == 413
    assert (empty.status_code, empty.content) == (200, b"")


async def test_configuration_with_origins(served: Served) -> None:
    async with served.tcp() as client:
        items = {item["key"]: item for item in (await client.get("/config")).json()["items"]}
    assert items["host.max_dials"]["origin"] == "command line"
    assert items["host.max_connections"] == {"key": "host.max_connections", "value": 1024, "origin": "default"}
    assert items["data_dir"]["value"] == str(served.data_dir)


async def test_shutdown_answers_first(served: Served) -> None:
    async with served.tcp() as client:
        assert (await client.post("/shutdown")).json() == {"done": True}
    assert served.stop.is_set()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, "no_route"),
        ("PATCH", "/files", 405, "method_not_allowed"),
        ("GET", "/files/", 404, "no_route"),
        ("POST", "/peers", 400, "usage"),
        ("GET", "/../../etc/passwd", 404, "no_route"),
    ],
)
async def test_every_error_has_one_shape(served: Served, method: str, path: str, status: int, code: str) -> None:
    async with served.tcp() as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "message", "hint"}


async def test_a_mistake_of_the_node_is_not_shown_to_the_client(
    served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(served.node), "stats", lambda self: broken())
    async with served.tcp() as client:
        answer = await client.get("/stats")
        after = await client.get("/id")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text
    assert after.status_code == 200


async def test_openapi_describes_every_route_with_the_error_shape(served: Served) -> None:
    async with served.tcp() as client:
        document: Any = (await client.get("/openapi.json")).json()
        assert (await client.get("/docs")).status_code == 404
    assert "/api/v1/files/{cid}/content" in document["paths"]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) >= 20
    for operation in operations:
        shape = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert shape == {"$ref": "#/components/schemas/Fault"}
        assert operation["summary"]
