"""The DHT's routes over a fake node."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import trio

from chiral.api.dht_records import AnnounceFigures, DhtStats, LatencyFigures, OverlayFigures, RefusalFigures
from chiral.block.cid import CID
from chiral.interface.peer import PeerInfo
from chiral.kad.key import KadKey
from chiral.routing.announce_stats import AnnounceStats
from chiral.routing.latencies import LatencyQuantiles
from chiral.routing.refusals import Refusals
from chiral.routing.stats import KadStats, OverlayStats
from tests.api.conftest import Served
from tests.fakes.swarm import BUCKETS, DEAD, OTHER_ADDR, OTHER_PEER, PROTOCOL, figures, peer_of

ADDR = "/ip4/127.0.0.1/tcp/4001"


async def test_providers_come_as_lines(served: Served) -> None:
    cid = CID.of(b"x")
    served.node.providers[cid] = [PeerInfo(OTHER_PEER, (OTHER_ADDR,)), PeerInfo(peer_of(1)), PeerInfo(peer_of(2))]
    async with served.tcp() as client:
        answer = await client.get(f"/dht/providers/{cid}", params={"count": 2})
        nobody = await client.get(f"/dht/providers/{CID.of(b'y')}")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["type"] for line in lines] == ["item", "item", "result"]
    assert lines[0]["value"] == {
        "peer_id": str(OTHER_PEER),
        "addrs": [ADDR],
        "key": cid.buffer.hex(),
        "distance": "8" + 63 * "0",
        "received_at": None,
        "told_by": str(peer_of(3)),
    }
    assert lines[2]["value"] == {"count": 2}
    assert nobody.json() == {"type": "result", "value": {"count": 0}}


async def test_a_provider_is_sent_while_the_search_goes_on(served: Served) -> None:
    cid = CID.of(b"x")
    served.node.providers[cid] = [PeerInfo(OTHER_PEER, (OTHER_ADDR,))]
    served.node.search_lasts = True
    async with served.tcp() as client, client.stream("GET", f"/dht/providers/{cid}") as answer:
        with trio.fail_after(5):
            line = await anext(answer.aiter_lines())
    assert json.loads(line)["value"]["peer_id"] == str(OTHER_PEER)


@pytest.mark.parametrize("count", [0, 1001])
async def test_as_many_providers_as_nobody_may_ask_for(served: Served, count: int) -> None:
    async with served.tcp() as client:
        answer = await client.get(f"/dht/providers/{CID.of(b'x')}", params={"count": count})
    assert (answer.status_code, answer.json()["code"]) == (400, "usage")


async def test_providing_and_providing_no_longer(served: Served) -> None:
    cid = CID.of(b"x")
    async with served.tcp() as client:
        answer = await client.post("/dht/provide", json={"cid": str(cid)})
        assert served.node.provided == [cid]
        done = await client.delete(f"/dht/provide/{cid}")
        malformed = await client.delete("/dht/provide/nonsense")
    assert answer.json() == {"items": [{"key": cid.buffer.hex(), "asked": 20, "stored": 19}]}
    assert (done.status_code, done.json()) == (200, {"done": True})
    assert served.node.provided == []
    assert (malformed.status_code, malformed.json()["code"]) == (400, "invalid_cid")


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        (str(CID.of(b"x")), CID.of(b"x").buffer),
        (str(OTHER_PEER), OTHER_PEER.raw),
        (str(peer_of(1)), peer_of(1).raw),
    ],
)
async def test_closest_peers_with_their_distance(served: Served, text: str, raw: bytes) -> None:
    async with served.tcp() as client:
        items = (await client.get(f"/dht/closest/{text}")).json()["items"]
    peers = [info.peer for info in served.node.routing.peers]
    assert [item["peer_id"] for item in items] == [str(peer) for peer in peers]
    distances = [KadKey.of(raw).distance(KadKey.of(peer.raw)) for peer in peers]
    assert [int(item["distance"], 16) for item in items] == distances
    assert {len(item["distance"]) for item in items} == {64}


async def test_a_key_that_is_neither_cid_nor_peer(served: Served) -> None:
    async with served.tcp() as client:
        answer = await client.get("/dht/closest/nonsense")
    assert answer.status_code == 400
    assert "neither a CID nor a peer id" in answer.json()["message"]


async def test_finding_a_peer(served: Served) -> None:
    async with served.tcp() as client:
        known = await client.get(f"/dht/peers/{OTHER_PEER}")
        unknown = await client.get(f"/dht/peers/{peer_of(7)}")
    assert known.json() == {"peer_id": str(OTHER_PEER), "addrs": [ADDR]}
    assert unknown.status_code == 404


async def test_a_lookup_that_takes_too_long(served: Served) -> None:
    served.node.routing.stalling = True
    async with served.tcp() as client:
        answer = await client.get(f"/dht/closest/{OTHER_PEER}", params={"timeout_s": 0.05})
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")


async def test_a_client_that_goes_away_ends_its_lookup(served: Served) -> None:
    served.node.routing.stalling = True
    stream = await served.connect()
    await stream.send_all(served.head("GET", f"/dht/closest/{OTHER_PEER}"))
    await served.node.routing.stalled.wait()
    await stream.aclose()
    with trio.fail_after(5):
        await served.node.routing.cancelled.wait()


async def test_joining_through_peers_given(served: Served) -> None:
    given = [f"{ADDR}/p2p/{peer}" for peer in (OTHER_PEER, DEAD)]
    async with served.tcp() as client:
        answer = await client.post("/dht/bootstrap", json={"peers": given})
    assert answer.json() == {
        "connected": [{"peer_id": str(OTHER_PEER), "addrs": [ADDR]}],
        "failed": [{"peer_id": str(DEAD), "addrs": [ADDR], "reason": "no address answers"}],
    }


async def test_a_bootstrap_peer_with_two_addresses(served: Served) -> None:
    given = [f"/ip4/127.0.0.1/tcp/{port}/p2p/{OTHER_PEER}" for port in (4001, 4002)]
    async with served.tcp() as client:
        answer = await client.post("/dht/bootstrap", json={"peers": given})
    (peer,) = answer.json()["connected"]
    assert peer["addrs"] == ["/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/tcp/4002"]


async def test_joining_through_those_known(served: Served) -> None:
    async with served.tcp() as client:
        answer = await client.post("/dht/bootstrap", json={})
    assert [peer["peer_id"] for peer in answer.json()["connected"]] == [str(i.peer) for i in served.node.routing.peers]


@pytest.mark.parametrize(
    ("peers", "code"), [([ADDR], "invalid_address"), (["nonsense"], "invalid_address"), ([ADDR] * 65, "usage")]
)
async def test_bootstrap_peers_that_cannot_be_used(served: Served, peers: list[str], code: str) -> None:
    async with served.tcp() as client:
        answer = await client.post("/dht/bootstrap", json={"peers": peers})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_the_routing_table_in_pages(served: Served) -> None:
    found: list[Any] = []
    start: int | None = 0
    async with served.tcp() as client:
        while start is not None:
            page = (await client.get("/dht/table", params={"start": start, "limit": 2})).json()
            found += page["items"]
            assert len(page["items"]) <= 2
            start = page["next"]
        exact = (await client.get("/dht/table", params={"limit": 5})).json()
        beyond = (await client.get("/dht/table", params={"start": 9})).json()
        bucket = (await client.get("/dht/table", params={"bucket": 1})).json()
        wrong = await client.get("/dht/table", params={"bucket": 256})
    assert [entry["bucket"] for entry in found] == [0, 0, 1, 1, 2]
    assert found[0] == {
        "protocol": PROTOCOL,
        "bucket": 0,
        "peer_id": str(OTHER_PEER),
        "addrs": [ADDR],
        "connected": True,
        "agent": "fake/1",
        "latency_s": 0.0015,
        "added_at": 1_700_000_000.0,
        "seen_at": 1_700_000_060.0,
    }
    assert (found[1]["connected"], found[1]["latency_s"]) == (False, None)
    assert exact == {"items": found, "next": None}
    assert beyond == {"items": [], "next": None}
    assert bucket["items"] == found[2:4]
    assert wrong.status_code == 400


async def test_figures(served: Served) -> None:
    async with served.tcp() as client:
        dht = (await client.get("/dht/stats")).json()
        everything = (await client.get("/stats")).json()
    assert dht["overlays"] == [{"protocol": PROTOCOL, "table_size": 24, "bucket_counts": list(BUCKETS)}]
    assert dht["bucket_counts"] == list(BUCKETS)
    assert len(dht["bucket_counts"]) == 256
    assert (dht["peers"], dht["table_size"], dht["queries_active"]) == (24, 24, 1)
    assert (dht["provider_records"], dht["value_records"], dht["providers_known"]) == (31, 2, 5)
    assert everything["dht"]["queries_done"] == dht["queries_done"] == figures().queries_done
    assert (dht["refusals"]["rate"], dht["refusals"]["slowed"], dht["refusals"]["streams"]) == (4, 9, 0)
    assert everything["uptime_s"] == 1.5


def test_no_figure_is_left_out() -> None:
    pairs = (
        (DhtStats, KadStats),
        (OverlayFigures, OverlayStats),
        (RefusalFigures, Refusals),
        (LatencyFigures, LatencyQuantiles),
        (AnnounceFigures, AnnounceStats),
    )
    for shown, taken in pairs:
        assert {field.name for field in dataclasses.fields(taken)} <= set(shown.model_fields)


async def test_every_figure_is_described(served: Served) -> None:
    async with served.tcp() as client:
        document: Any = (await client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert all(figure.get("description") for figure in schemas["DhtStats"]["properties"].values())
    for path in ("/dht/providers/{cid}", "/dht/provide/{cid}", "/dht/bootstrap", "/dht/table", "/dht/stats"):
        for operation in document["paths"][f"/api/v1{path}"].values():
            assert operation["description"]
    lines = document["paths"]["/api/v1/dht/providers/{cid}"]["get"]["responses"]["200"]["content"]
    assert "distance" in lines["application/x-ndjson"]["schema"]["properties"]
