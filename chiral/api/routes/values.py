"""Value records in the DHT: get and put. Keys are text such as `metadata:bafk…`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from chiral.api.answers import ByteAnswer, ByteSink, LateAnswer
from chiral.api.context import Context
from chiral.api.query import DEFAULT_TIMEOUT_S, TextInPath, TimeoutS, within
from chiral.api.upload import small_body
from chiral.errors import NotFoundError

router = APIRouter(prefix="/dht/values", tags=["dht"])
MAX_VALUE_BYTES = 16 << 10
"""A value travels in one message, and messages end at 16 KiB."""
DEFAULT_QUORUM = 4


class PutValue(BaseModel):
    """How many peers took a value, beside this node."""

    stored: int


@router.get("/{key:path}", response_class=ByteAnswer)
async def get_value(
    context: Context,
    key: TextInPath,
    quorum: Annotated[int, Query(ge=1, le=20, description="stop after so many answers")] = DEFAULT_QUORUM,
    timeout_s: TimeoutS = DEFAULT_TIMEOUT_S,
) -> ByteAnswer:
    """The best valid value under a key."""

    async def work(sink: ByteSink) -> None:
        value = await context.node.routing.values.get(key.encode(), quorum=quorum, timeout_s=timeout_s)
        if value is None:
            raise NotFoundError(f"nobody who was asked has a value under {key[:80]!r}")
        await sink.begin({"content-type": "application/octet-stream", "content-length": str(len(value))})
        if value:
            await sink.write(value)

    return ByteAnswer(work)


@router.put("/{key:path}", response_model=PutValue)
async def put_value(
    context: Context, request: Request, key: TextInPath, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S
) -> LateAnswer:
    """Store the request's body, under 16 KiB, under a key, here and at the peers closest to it."""
    value = await small_body(request, MAX_VALUE_BYTES)

    async def work() -> PutValue:
        with within(timeout_s, "storing the value"):
            return PutValue(stored=await context.node.routing.values.put(key.encode(), value))

    return LateAnswer(work)
