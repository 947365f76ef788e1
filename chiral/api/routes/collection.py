"""Collecting blocks that nothing keeps: begin, watch, stop; and cleaning up."""

from __future__ import annotations

from contextlib import aclosing

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chiral.api.answers import LineAnswer, LineSink
from chiral.api.context import Context
from chiral.api.pin_records import CleanedEntry, CollectionEntry, CollectionState, Stopped
from chiral.errors import StoreError
from chiral.pinning.progress import CollectionProgress

router = APIRouter(prefix="/collection", tags=["collection"])


class Collect(BaseModel):
    """A collection to begin; a dry run removes nothing and says what a real one would."""

    dry_run: bool = False


class Clean(BaseModel):
    """What to clean: blocks that nothing keeps; `deep`: before that all files that no pin keeps."""

    deep: bool = False
    dry_run: bool = Field(False, description="remove nothing, only count")


@router.get("")
async def show_collection(context: Context) -> CollectionState:
    """The collection that goes on, and what the last one came to."""
    return CollectionState.of(context.node.collector.status())


@router.post("", response_model=CollectionEntry)
async def collect(context: Context, asked: Collect) -> LineAnswer:
    """Collect, and watch it. Answers with lines: progress in blocks looked at, then what it came to or an error.

    It goes on when the client goes away: `stop` ends it.
    """

    async def work(sink: LineSink) -> CollectionEntry:
        last: CollectionProgress | None = None
        async with aclosing(context.node.collector.collect(dry_run=asked.dry_run)) as collecting:
            async for progress in collecting:
                last = progress
                sink.progress(progress.examined, progress.blocks)
        return CollectionEntry.of(_ended(last))

    return LineAnswer(work)


@router.post("/start")
async def start_collection(context: Context, asked: Collect) -> CollectionState:
    """Begin a collection and answer at once."""
    context.node.collector.start(dry_run=asked.dry_run)
    return CollectionState.of(context.node.collector.status())


@router.post("/stop")
async def stop_collection(context: Context) -> Stopped:
    """Stop the collection that goes on, within a slice; the next one goes on where it was."""
    return Stopped(stopped=context.node.collector.stop())


@router.post("/clean", response_model=CleanedEntry)
async def clean(context: Context, asked: Clean) -> LineAnswer:
    """Clean up. Answers with lines: progress in blocks looked at, then what was removed or an error."""

    async def work(sink: LineSink) -> CleanedEntry:
        last = None
        async with aclosing(context.node.cleaner.clean(deep=asked.deep, dry_run=asked.dry_run)) as cleaning:
            async for cleaned in cleaning:
                last = cleaned
                done = cleaned.collection
                sink.progress(0 if done is None else done.examined, None if done is None else done.blocks)
        if last is None:
            raise StoreError("nothing was cleaned", hint="the node's log says why")
        return CleanedEntry.of(last, dry_run=asked.dry_run)

    return LineAnswer(work)


def _ended(progress: CollectionProgress | None) -> CollectionProgress:
    if progress is None:
        raise StoreError("the collection did not begin", hint="the node's log says why")
    return progress
