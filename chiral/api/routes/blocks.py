"""Blocks: get, put, stat."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from chiral.api.answers import BYTES, ByteAnswer, ByteSink
from chiral.api.context import Context
from chiral.api.query import DEFAULT_TIMEOUT_S, CidInPath, TimeoutS
from chiral.api.upload import small_body
from chiral.block.block import Block
from chiral.block.cid import CODEC_NAMES
from chiral.errors import NotFoundError, UsageError

router = APIRouter(prefix="/blocks", tags=["blocks"])
MAX_BLOCK_BYTES = 2 << 20
"""The largest block that the block protocol carries by default."""


class BlockStat(BaseModel):
    """A block that is held. `size` in bytes."""

    cid: str
    size: int
    codec: str


class PutBlock(BlockStat):
    """A block that was stored; `new` unless it was held before."""

    new: bool


@router.get("/{cid}", response_class=Response, responses=BYTES)
async def get_block(context: Context, cid: CidInPath, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S) -> ByteAnswer:
    """One block, verified, from here or from the swarm."""

    async def work(sink: ByteSink) -> None:
        data = await context.node.fetch_block(cid, timeout_s)
        await sink.begin(
            {
                "content-type": "application/octet-stream",
                "content-length": str(len(data)),
                "x-content-type-options": "nosniff",
                "content-disposition": "attachment",
            }
        )
        if data:
            await sink.write(data)

    return ByteAnswer(work)


@router.get("/{cid}/stat")
async def stat_block(context: Context, cid: CidInPath) -> BlockStat:
    """Whether a block is held here, and its size."""
    size = await context.node.blockstore.size(cid)
    if size is None:
        raise NotFoundError(f"block {cid} is not held here", hint=f"fetch it with 'chiral block get {cid}'")
    return BlockStat(cid=str(cid), size=size, codec=cid.codec_name)


@router.put("", status_code=201)
async def put_block(
    context: Context, request: Request, codec: Annotated[str, Query(max_length=32)] = "raw"
) -> PutBlock:
    """Store the request's body, at most 2 MiB, as one block under its CIDv1 (sha2-256)."""
    codes = {name: code for code, name in CODEC_NAMES.items()}
    if codec not in codes:
        raise UsageError(f"codec: {codec!r} is not known", hint=f"use one of {', '.join(codes)}")
    data = await small_body(request, MAX_BLOCK_BYTES)
    block = Block.of(data, codes[codec])
    new = await context.node.blockstore.put_many([block])
    return PutBlock(cid=str(block.cid), size=len(data), codec=codec, new=new > 0)
