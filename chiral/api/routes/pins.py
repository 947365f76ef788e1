"""Pins: add, list, remove."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from chiral.api.answers import LineAnswer, LineSink
from chiral.api.context import Context
from chiral.api.pin_records import PinEntry, PinList, PinnedEntry, PinPage, pin_at, place_of
from chiral.api.query import DEFAULT_TIMEOUT_S, MAX_TEXT, MAX_TIMEOUT_S, CidInPath, Limit
from chiral.block.cid import CID
from chiral.errors import NotFoundError, UsageError
from chiral.interface.pins import PinKind

router = APIRouter(prefix="/pins", tags=["pins"])
_MAX_NAME = 255
_MAX_AFTER = 4096


class AddPin(BaseModel):
    """What to pin: with `recursive` everything that its links lead to, or the file it is the root of."""

    cid: str = Field(max_length=MAX_TEXT)
    kind: PinKind = PinKind.RECURSIVE
    name: str = Field("", max_length=_MAX_NAME)
    timeout_s: float = Field(DEFAULT_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S, description="longest wait without progress")


@router.post("", response_model=PinnedEntry)
async def add_pin(context: Context, asked: AddPin) -> LineAnswer:
    """Pin a CID, fetching first what is not here. Answers with lines: progress in blocks, then the pin or an error."""
    cid = CID.parse(asked.cid).require_supported()

    async def work(sink: LineSink) -> PinnedEntry:
        pinned = await context.node.pinner.add(
            cid, kind=asked.kind, name=asked.name, timeout_s=asked.timeout_s, progress=sink.progress
        )
        return PinnedEntry.of_outcome(pinned)

    return LineAnswer(work)


@router.get("")
async def list_pins(
    context: Context,
    after: Annotated[str, Query(max_length=_MAX_AFTER, description="`next` of the page before")] = "",
    limit: Limit = 100,
    kind: Annotated[PinKind | None, Query(description="only these")] = None,
) -> PinPage:
    """The pins, a page at a time."""
    try:
        behind = pin_at(bytes.fromhex(after))
    except ValueError as error:
        raise UsageError("after: not the `next` of a page of pins") from error
    pins = await context.node.pinner.page(behind, limit, kind)
    following = place_of(pins[-1]) if len(pins) == limit else None
    return PinPage(items=[PinEntry.of(pin) for pin in pins], next=following)


@router.get("/{cid}")
async def show_pins(context: Context, cid: CidInPath) -> PinList:
    """The pins of one CID."""
    pins = await context.node.pinner.of(cid)
    if not pins:
        raise NotFoundError(f"{cid} is not pinned", hint=f"pin it with 'chiral pin add {cid}'")
    return PinList(items=[PinEntry.of(pin) for pin in pins])


@router.delete("/{cid}")
async def remove_pin(
    context: Context,
    cid: CidInPath,
    name: Annotated[str | None, Query(max_length=_MAX_NAME, description="the pin of this name")] = None,
    every: Annotated[bool, Query(description="all of the CID's pins, where it has several")] = False,
) -> PinList:
    """Remove a CID's only pin, the one named, or every one; what nothing keeps then goes with the next collection."""
    removed = await context.node.pinner.remove(cid, name=name, every=every)
    return PinList(items=[PinEntry.of(pin) for pin in removed])
