"""Files and directories: add, list, show, remove."""

from __future__ import annotations

from typing import Annotated

import trio
from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from chiral.api.adding import Adding, AddPath, AddTree, AddUpload, LocalItem
from chiral.api.answers import LineAnswer, LineSink
from chiral.api.batch import Batch
from chiral.api.context import Context, only_local
from chiral.api.local_path import file_to_read, path_to_read
from chiral.api.query import DEFAULT_TIMEOUT_S, After, CidInPath, Limit, PathBelow, TimeoutS
from chiral.api.records import AddedFile, BatchCount, ChunkPage, Count, FileChunk, FileEntry, FilePage
from chiral.api.tree_records import AddedTree, TreeItem
from chiral.api.upload import body_parts
from chiral.errors import NotFoundError

router = APIRouter(prefix="/files", tags=["files"])
MAX_BATCH_FILES = 1000
_ITEMS_AT_ONCE = 256


class AddPaths(Adding):
    """Local files to add, all in the same way."""

    items: list[LocalItem] = Field(min_length=1, max_length=MAX_BATCH_FILES)


@router.post("", response_model=AddedFile, dependencies=[Depends(only_local)])
async def add_path(context: Context, asked: AddPath) -> LineAnswer:
    """Add a local file (Unix socket only). Answers with lines: progress, then the result or an error."""
    path = await trio.to_thread.run_sync(file_to_read, asked.path, context.data_dir)
    options = asked.options()

    async def work(sink: LineSink) -> AddedFile:
        files = context.node.files
        return AddedFile.of(
            await files.add_path(path, name=asked.shown_name(), progress=sink.progress, options=options)
        )

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
    return LineAnswer(Batch(context.node.files, names, context.data_dir, asked.options()).run)


@router.post("/tree", response_model=AddedTree, dependencies=[Depends(only_local)])
async def add_tree(context: Context, asked: AddTree) -> LineAnswer:
    """Add a local directory with all that is in it (Unix socket only).

    Answers with lines: progress, in bytes of all the files; then the directory, its DAG root as `cid`. What cannot be
    read is left out, counted in `failed` and named in `faults`, the first thousand of it.
    """
    path = await trio.to_thread.run_sync(path_to_read, asked.path, context.data_dir)
    options = await trio.to_thread.run_sync(asked.tree_options, context.data_dir)

    async def work(sink: LineSink) -> AddedTree:
        files = context.node.files
        return AddedTree.of(
            await files.add_tree(path, name=asked.shown_name(), options=options, progress=sink.progress)
        )

    return LineAnswer(work)


@router.put("", status_code=201)
async def upload(context: Context, request: Request, asked: Annotated[AddUpload, Query()]) -> AddedFile:
    """Add the request's body, of any length, as a file. An upload that is cut leaves nothing behind."""
    options = asked.options()
    return AddedFile.of(await context.node.files.add_stream(body_parts(request), name=asked.name, options=options))


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


@router.get("/{cid}/entries", response_model=Count)
async def list_entries(
    context: Context, cid: CidInPath, path: PathBelow = (), timeout_s: TimeoutS = DEFAULT_TIMEOUT_S
) -> LineAnswer:
    """What is in a directory, from here or from the swarm. Answers with lines: an item an entry, then the count."""

    async def work(sink: LineSink) -> Count:
        count = 0
        async with context.node.files.listing(cid, timeout_s=timeout_s, path=path) as entries:
            waiting: list[TreeItem] = []
            async for entry in entries:
                waiting.append(TreeItem.of(entry))
                count += 1
                if len(waiting) == _ITEMS_AT_ONCE:
                    await sink.items(waiting)
                    waiting = []
            if waiting:
                await sink.items(waiting)
        return Count(count=count)

    return LineAnswer(work)


@router.delete("/{cid}")
async def remove_file(context: Context, cid: CidInPath) -> FileEntry:
    """Forget a file and the blocks that no other file is made of."""
    return FileEntry.of(await context.node.files.remove(cid))
