"""Value records in the DHT: get and put. Keys are text such as `metadata:bafk…` and `/pk/12D3…`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from chiral.api.answers import BYTES, ByteAnswer, ByteSink, LateAnswer
from chiral.api.context import Context
from chiral.api.query import DEFAULT_TIMEOUT_S, TextInPath, TimeoutS, within
from chiral.api.upload import small_body
from chiral.api.value_records import FoundRecord, StoredRecord, value_key
from chiral.errors import NotFoundError
from chiral.interface.values import RecordFound
from chiral.kad.quorum import Quorum, parse_quorum

router = APIRouter(prefix="/dht", tags=["dht"])
MAX_VALUE_BYTES = 16 << 10
"""A value travels in one message, and messages end at 16 KiB."""
_QUORUM = "one, majority, all or a number of the peers closest to the key"


def _get_quorum(
    quorum: Annotated[str, Query(max_length=16, description=f"stop after so many answers: {_QUORUM}")] = "3",
) -> Quorum:
    return parse_quorum(quorum)


def _put_quorum(
    quorum: Annotated[str, Query(max_length=16, description=f"how many must take it: {_QUORUM}")] = "one",
) -> Quorum:
    return parse_quorum(quorum)


GetQuorum = Annotated[Quorum, Depends(_get_quorum)]
PutQuorum = Annotated[Quorum, Depends(_put_quorum)]


async def _find(context: Context, key: str, quorum: Quorum, timeout_s: float) -> RecordFound:
    with within(timeout_s, "the lookup"):
        found = await context.node.routing.get_record(value_key(key), quorum=quorum)
    if found is None:
        raise NotFoundError(f"nobody who was asked has a value under {key[:80]!r}")
    return found


@router.get("/values/{key:path}", response_class=Response, responses=BYTES)
async def get_value(
    context: Context, key: TextInPath, quorum: GetQuorum, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S
) -> ByteAnswer:
    """The best valid value under a key."""

    async def work(sink: ByteSink) -> None:
        value = (await _find(context, key, quorum, timeout_s)).value
        await sink.begin({"content-type": "application/octet-stream", "content-length": str(len(value))})
        if value:
            await sink.write(value)

    return ByteAnswer(work)


@router.get("/records/{key:path}", response_model=FoundRecord)
async def get_record(
    context: Context, key: TextInPath, quorum: GetQuorum, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S
) -> LateAnswer:
    """The valid values under a key, the best first, how many peers had one, and what a metadata record says."""

    async def work() -> FoundRecord:
        return FoundRecord.of(await _find(context, key, quorum, timeout_s))

    return LateAnswer(work)


@router.put("/values/{key:path}", response_model=StoredRecord)
async def put_value(
    context: Context, request: Request, key: TextInPath, quorum: PutQuorum, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S
) -> LateAnswer:
    """Store the request's body, under 16 KiB, under a key, here and at the peers closest to it; fails under quorum."""
    value = await small_body(request, MAX_VALUE_BYTES)

    async def work() -> StoredRecord:
        with within(timeout_s, "storing the value"):
            return StoredRecord.of(await context.node.routing.put_record(value_key(key), value, quorum=quorum))

    return LateAnswer(work)
