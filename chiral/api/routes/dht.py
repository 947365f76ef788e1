"""The DHT: find providers and peers, announce, closest peers, joining, the routing table, figures."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query

from chiral.api.answers import LateAnswer, LineAnswer, LineSink
from chiral.api.context import Context
from chiral.api.dht_records import (
    Bootstrap,
    BootstrapOutcome,
    ClosePeer,
    ClosePeerList,
    DhtStats,
    Provide,
    Provider,
    TableEntry,
    TablePage,
    bootstrap_addresses,
)
from chiral.api.query import DEFAULT_TIMEOUT_S, MAX_PAGE, CidInPath, Limit, TextInPath, TimeoutS, dht_key, within
from chiral.api.records import Announcement, AnnouncementList, Count, Done, Peer
from chiral.block.cid import CID
from chiral.errors import NotFoundError
from chiral.interface.peer import PeerId
from chiral.kad.key import KEY_BITS, KadKey

router = APIRouter(prefix="/dht", tags=["dht"])
_MAX_PROVIDERS = 1000
_PROVIDER_LINES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-ndjson": {"schema": Provider.model_json_schema()}}}
}
"""What OpenAPI says of the lines: the value of each item."""


@router.get("/providers/{cid}", response_model=Count, responses=_PROVIDER_LINES)
async def find_providers(
    context: Context,
    cid: CidInPath,
    count: Annotated[int, Query(ge=1, le=_MAX_PROVIDERS, description="stop after so many")] = 20,
    timeout_s: TimeoutS = DEFAULT_TIMEOUT_S,
) -> LineAnswer:
    """Who provides a CID, under either of its keys. Answers with lines (NDJSON): an item for each provider as it is
    found, then how many there were.
    """

    async def work(sink: LineSink) -> Count:
        found = 0
        async with aclosing(context.node.find_provider_records(cid, count, timeout_s)) as search:
            async for provider in search:
                found += 1
                await sink.item(Provider.of(provider))
        return Count(count=found)

    return LineAnswer(work)


@router.post("/provide", response_model=AnnouncementList)
async def provide(context: Context, asked: Provide) -> LateAnswer:
    """Announce that this node holds a CID, and keep announcing it."""
    cid = CID.parse(asked.cid).require_supported()

    async def work() -> AnnouncementList:
        return AnnouncementList(items=[Announcement.of(result) for result in await context.node.provide(cid)])

    return LateAnswer(work)


@router.delete("/provide/{cid}")
async def stop_providing(context: Context, cid: CidInPath) -> Done:
    """Announce a CID no longer; what others keep of it expires there by itself."""
    await context.node.stop_providing(cid)
    return Done()


@router.get("/closest/{key}", response_model=ClosePeerList)
async def closest_peers(context: Context, key: TextInPath, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S) -> LateAnswer:
    """The live peers closest to a CID or a peer id, nearest first."""
    raw = dht_key(key)

    async def work() -> ClosePeerList:
        with within(timeout_s, "the lookup"):
            peers = await context.node.routing.closest_peers(raw)
        target = KadKey.of(raw)
        return ClosePeerList(items=[ClosePeer.of(info, target) for info in peers])

    return LateAnswer(work)


@router.get("/peers/{peer_id}", response_model=Peer)
async def find_peer(context: Context, peer_id: TextInPath, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S) -> LateAnswer:
    """The addresses of a peer."""
    peer = PeerId.parse(peer_id)

    async def work() -> Peer:
        with within(timeout_s, "the lookup"):
            info = await context.node.routing.find_peer(peer)
        if info is None:
            raise NotFoundError(f"nobody who was asked knows peer {peer}")
        return Peer.of(info)

    return LateAnswer(work)


@router.post("/bootstrap", response_model=BootstrapOutcome)
async def bootstrap(context: Context, asked: Bootstrap, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S) -> LateAnswer:
    """Join the network again, through the peers given or else through those known from the configuration."""
    peers = bootstrap_addresses(asked.peers)

    async def work() -> BootstrapOutcome:
        with within(timeout_s, "joining the network"):
            return BootstrapOutcome.of(await context.node.routing.bootstrap(peers))

    return LateAnswer(work)


@router.get("/table")
async def list_table(
    context: Context,
    start: Annotated[int, Query(ge=0, description="`next` of the page before")] = 0,
    limit: Limit = MAX_PAGE,
    bucket: Annotated[int | None, Query(ge=0, lt=KEY_BITS, description="only the peers of this bucket")] = None,
) -> TablePage:
    """The peers of the routing tables, a protocol after another, farthest bucket first."""
    entries = [entry for entry in context.node.routing.table() if bucket is None or entry.bucket == bucket]
    end = start + limit
    return TablePage(
        items=[TableEntry.of(entry) for entry in entries[start:end]], next=end if end < len(entries) else None
    )


@router.get("/stats")
async def show_stats(context: Context) -> DhtStats:
    """The figures of the routing tables, the record stores, the announcing and the lookups."""
    return DhtStats.model_validate(await context.node.routing.stats())
