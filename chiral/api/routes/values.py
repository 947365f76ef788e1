"""Value records in the DHT: get and put. Keys are text such as `metadata:bafk…`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from chiral.api.answers import BYTES, ByteAnswer, ByteSink, LateAnswer
from chiral.api.context import Context
from chiral.api.query import DEFAULT_TIMEOUT_S, TextInPath, TimeoutS, within
from chiral.api.records import Announcement
from chiral.api.upload import small_body
from chiral.errors import NotFoundError

router = APIRouter(prefix="/dht/values", tags=["dht"])
MAX_VALUE_BYTES = 16 << 10
"""A value travels in one message, and messages end at 16 KiB."""
DEFAULT_QUORUM = 3


@router.get("/{key:path}", response_class=Response, responses=BYTES)
async def get_value(
    context: Context,
    key: TextInPath,
    quorum: Annotated[int, Query(ge=1, le=20, description="stop after so many answers")] = DEFAULT_QUORUM,
    timeout_s: TimeoutS = DEFAULT_TIMEOUT_S,
) -> ByteAnswer:
    """The best valid value under a key."""

    async def work(sink: ByteSink) -> None:
        with within(timeout_s, "the lookup"):
            value = await context.node.routing.get_value(key.encode(), quorum=quorum)
        if value is None:
            raise NotFoundError(f"nobody who was asked has a value under {key[:80]!r}")
        await sink.begin({"content-type": "application/octet-stream", "content-length": str(len(value))})
        if value:
            await sink.write(value)

    return ByteAnswer(work)


@router.put("/{key:path}", response_model=Announcement)
async def put_value(
    context: Context, request: Request, key: TextInPath, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S
) -> LateAnswer:
    """Store the request's body, under 16 KiB, under a key, here and at the peers closest to it."""
    value = await small_body(request, MAX_VALUE_BYTES)

    async def work() -> Announcement:
        with within(timeout_s, "storing the value"):
            return Announcement.of(await context.node.routing.put_value(key.encode(), value))

    return LateAnswer(work)
