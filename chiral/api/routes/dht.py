"""The DHT: find providers and peers, announce, closest peers, values, figures."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from chiral.api.answers import LateAnswer, LineAnswer, LineSink
from chiral.api.context import Context
from chiral.api.query import DEFAULT_TIMEOUT_S, MAX_TEXT, CidInPath, TextInPath, TimeoutS, dht_key, within
from chiral.api.records import Announcement, AnnouncementList, Count, Peer, PeerList, plain
from chiral.block.cid import CID
from chiral.errors import NotFoundError
from chiral.interface.peer import PeerId

router = APIRouter(prefix="/dht", tags=["dht"])
_MAX_PROVIDERS = 1000


class Provide(BaseModel):
    """What to announce."""

    cid: str = Field(max_length=MAX_TEXT)


@router.get("/providers/{cid}", response_model=Count)
async def find_providers(
    context: Context,
    cid: CidInPath,
    count: Annotated[int, Query(ge=1, le=_MAX_PROVIDERS, description="stop after so many")] = 20,
    timeout_s: TimeoutS = DEFAULT_TIMEOUT_S,
) -> LineAnswer:
    """Who provides a CID. Answers with lines: an item for each provider as it is found, then how many there were."""

    async def work(sink: LineSink) -> Count:
        found = 0
        search = cast(Any, context.node.find_providers(cid, count, timeout_s))
        async with aclosing(search):
            async for info in search:
                found += 1
                await sink.item(Peer.of(info))
        return Count(count=found)

    return LineAnswer(work)


@router.post("/provide", response_model=AnnouncementList)
async def provide(context: Context, asked: Provide) -> LateAnswer:
    """Announce that this node holds a CID."""
    cid = CID.parse(asked.cid).require_supported()

    async def work() -> AnnouncementList:
        return AnnouncementList(items=[Announcement.of(result) for result in await context.node.provide(cid)])

    return LateAnswer(work)


@router.get("/closest/{key}", response_model=PeerList)
async def closest_peers(context: Context, key: TextInPath, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S) -> LateAnswer:
    """The live peers closest to a CID or a peer id, nearest first."""
    raw = dht_key(key)

    async def work() -> PeerList:
        with within(timeout_s, "the lookup"):
            peers = await context.node.routing.closest_peers(raw)
        return PeerList(items=[Peer.of(info) for info in peers])

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


@router.get("/stats")
async def show_stats(context: Context) -> dict[str, Any]:
    """The routing table's and the record stores' figures."""
    return cast(dict[str, Any], plain(await context.node.routing.stats()))
