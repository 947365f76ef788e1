"""The store's upkeep: figures, verification, quarantine, compaction, backups."""

from __future__ import annotations

from typing import Any, cast

import trio
from fastapi import APIRouter

from chiral.api.answers import LineAnswer, LineSink
from chiral.api.context import Context
from chiral.api.query import After, CidInPath, Limit
from chiral.api.records import Done, plain
from chiral.api.store_records import (
    BackupList,
    CompactedStore,
    DamagedBlock,
    DamagedPage,
    Freed,
    VerifyStatus,
    VerifyWish,
)
from chiral.errors import NotFoundError

router = APIRouter(prefix="/store", tags=["store"])
_PROGRESS_INTERVAL_S = 0.5


@router.get("")
async def show_store(context: Context) -> dict[str, Any]:
    """What the store holds, how it rests, its quota, its cache, the quarantine, and its size on the disk."""
    upkeep = context.node.upkeep
    figures = cast(dict[str, Any], plain(await context.node.blockstore.stats()))
    return {**figures, "quarantined": await upkeep.quarantine.count(), "disk_bytes": upkeep.disk_bytes()}


@router.post("/verify")
async def start_verifying(context: Context, wish: VerifyWish) -> VerifyStatus:
    """Begin to check every block against its CID, in the background; one that was stopped goes on.

    What is damaged is taken out of service, and with `repair` fetched from peers.
    """
    verifier = context.node.upkeep.verifier
    return VerifyStatus.of(verifier.start(rate_bytes=wish.rate_bytes, repair=wish.repair))


@router.get("/verify")
async def show_verifying(context: Context) -> VerifyStatus:
    """How far the verification has come, and what it has found."""
    return VerifyStatus.of(context.node.upkeep.verifier.status())


@router.delete("/verify")
async def stop_verifying(context: Context) -> VerifyStatus:
    """Stop it; it goes on where it was when it is started again."""
    return VerifyStatus.of(context.node.upkeep.verifier.stop())


@router.get("/verify/progress", response_model=VerifyStatus)
async def follow_verifying(context: Context) -> LineAnswer:
    """Lines (NDJSON) until the verification under way has ended: progress in bytes, then its status."""

    async def work(sink: LineSink) -> VerifyStatus:
        verifier = context.node.upkeep.verifier
        run = verifier.status()
        while run.state == "running":
            sink.progress(run.size_bytes, run.total_bytes)
            run = await verifier.changed()
        return VerifyStatus.of(run)

    return LineAnswer(work)


@router.get("/quarantine")
async def list_quarantine(context: Context, after: After, limit: Limit = 100) -> DamagedPage:
    """The blocks found damaged, with the reason."""
    found = await context.node.upkeep.quarantine.page(after, limit)
    following = found[-1].cid.multihash.hex() if len(found) == limit else None
    return DamagedPage(items=[DamagedBlock.of(entry) for entry in found], next=following)


@router.delete("/quarantine/{cid}")
async def forget_damaged(context: Context, cid: CidInPath) -> Done:
    """Drop what is kept of a damaged block."""
    if not await context.node.upkeep.quarantine.forget([cid]):
        raise NotFoundError(f"block {cid} is not in the quarantine")
    return Done()


@router.post("/compact", response_model=CompactedStore)
async def compact(context: Context) -> LineAnswer:
    """Write the store anew without its free pages. Answers with lines (NDJSON): progress in bytes, then the sizes.

    Writes wait meanwhile. It goes on to its end though the client goes away.
    """

    async def work(sink: LineSink) -> CompactedStore:
        compactor = context.node.upkeep.compactor

        async def report() -> None:
            while True:
                sink.progress(compactor.copied_bytes(), None)
                await trio.sleep(_PROGRESS_INTERVAL_S)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(report)
            done = await compactor.compact()
            nursery.cancel_scope.cancel()
        return CompactedStore(before_bytes=done.before_bytes, after_bytes=done.after_bytes)

    return LineAnswer(work)


@router.get("/backups")
async def list_backups(context: Context) -> BackupList:
    """The backups made before the store's layout changed; the next start removes them."""
    return BackupList(items=[str(path) for path in context.node.upkeep.backups()])


@router.delete("/backups")
async def remove_backups(context: Context) -> Freed:
    """Remove them now."""
    return Freed(freed_bytes=await context.node.upkeep.remove_backups())
