"""Files: add, list, show, save, remove."""

from __future__ import annotations

from typing import Annotated

import trio
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from chiral.api.answers import LineAnswer, LineSink
from chiral.api.batch import Batch
from chiral.api.context import Context, only_local
from chiral.api.local_path import file_to_read
from chiral.api.query import After, CidInPath, Limit
from chiral.api.records import AddedFile, BatchCount, ChunkPage, FileChunk, FileEntry, FilePage
from chiral.api.upload import body_parts
from chiral.errors import NotFoundError

router = APIRouter(prefix="/files", tags=["files"])
_MAX_PATH = 4096
_MAX_NAME = 1024
MAX_BATCH_FILES = 1000


class AddPath(BaseModel):
    """A local file to add; `name` instead of the path's own."""

    path: str = Field(max_length=_MAX_PATH)
    name: str | None = Field(None, max_length=_MAX_NAME)

    def shown_name(self) -> str:
        """The name to add the file under."""
        return self.name or self.path.rstrip("/").rpartition("/")[2]


class AddPaths(BaseModel):
    """Local files to add."""

    items: list[AddPath] = Field(min_length=1, max_length=MAX_BATCH_FILES)


@router.post("", response_model=AddedFile, dependencies=[Depends(only_local)])
async def add_path(context: Context, asked: AddPath) -> LineAnswer:
    """Add a local file (Unix socket only). Answers with lines: progress, then the result or an error."""
    path = await trio.to_thread.run_sync(file_to_read, asked.path, context.data_dir)

    async def work(sink: LineSink) -> AddedFile:
        added = await context.node.files.add_path(path, name=asked.shown_name(), progress=sink.progress)
        return AddedFile.of(added)

    return LineAnswer(work)


@router.post("/batch", response_model=BatchCount, dependencies=[Depends(only_local)])
async def add_paths(context: Context, asked: AddPaths) -> LineAnswer:
    """Add up to 1,000 local files, several at once (Unix socket only); a file that fails stops no other.

    Answers with lines: progress, in bytes of all the files; for each file, in the order given, an item with either
    `added`, the file, or `error`, the fault (the other is null); then as the result how many were added and failed.
    The request's body is at most 1 MiB, as of any other. When the client goes away the files under way are given up,
    and those that were added stay.
    """
    names = [(item.path, item.shown_name()) for item in asked.items]
    return LineAnswer(Batch(context.node.files, names, context.data_dir).run)


@router.put("", status_code=201)
async def upload(
    context: Context, request: Request, name: Annotated[str, Query(min_length=1, max_length=_MAX_NAME)]
) -> AddedFile:
    """Add the request's body, of any length, as a file. An upload that is cut leaves nothing behind."""
    return AddedFile.of(await context.node.files.add_stream(body_parts(request), name=name))


@router.get("")
async def list_files(context: Context, after: After, limit: Limit = 100) -> FilePage:
    """The files this node holds, a page at a time."""
    records = await context.node.files.page(after, limit)
    following = records[-1].root.multihash.hex() if len(records) == limit else None
    return FilePage(items=[FileEntry.of(record) for record in records], next=following)


@router.get("/{cid}")
async def show_file(context: Context, cid: CidInPath) -> FileEntry:
    """What the catalogue says of one file that this node holds."""
    record = await context.node.files.record(cid)
    if record is None:
        raise NotFoundError(f"no file {cid} is held here", hint=f"fetch it with 'chiral get {cid}'")
    return FileEntry.of(record)


@router.get("/{cid}/chunks")
async def list_chunks(
    context: Context, cid: CidInPath, start: Annotated[int, Query(ge=0)] = 0, limit: Limit = 1000
) -> ChunkPage:
    """The blocks that one held file is made of, in order, a page at a time."""
    await show_file(context, cid)
    chunks = await context.node.files.chunks(cid)
    items = [FileChunk(cid=str(chunk), size=size) for chunk, size in chunks[start : start + limit]]
    return ChunkPage(items=items, next=start + limit if start + limit < len(chunks) else None)


@router.delete("/{cid}")
async def remove_file(context: Context, cid: CidInPath) -> FileEntry:
    """Forget a file and the blocks that no other file is made of."""
    return FileEntry.of(await context.node.files.remove(cid))
