"""The bytes of files: streamed out, or saved to a local path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self
from urllib.parse import quote

import trio
from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, Field, model_validator
from starlette.responses import Response

from chiral.api.answers import BYTES, ByteSink, LineAnswer, LineSink
from chiral.api.byte_range import RangeAnswer, part_headers, span_of
from chiral.api.context import Context, only_local
from chiral.api.faults import Fault
from chiral.api.local_path import file_to_write, folder_to_write
from chiral.api.query import DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S, CidInPath, PathBelow, TimeoutS, below
from chiral.api.records import SavedFile, as_text
from chiral.errors import NotFoundError
from chiral.files.span import Span

if TYPE_CHECKING:
    from chiral.api.surface import ServedReader

router = APIRouter(tags=["content"])
_MAX_PATH = 4096
_MAX_OFFSET = (1 << 62) - 1
DOWNLOAD_HEADER = "chiral-download"
NAME_HEADER = "chiral-name"


class SaveTo(BaseModel):
    """Where to save: exactly one of `path` and `directory`, in which the content gets its own name, made safe.

    `inside` leads from the CID to what is saved. `unsafe_links` lets symbolic links lead out of a directory.
    """

    path: str | None = Field(None, max_length=_MAX_PATH)
    directory: str | None = Field(None, max_length=_MAX_PATH)
    overwrite: bool = Field(False, description="replace what is at `path`")
    timeout_s: float = Field(DEFAULT_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S)
    inside: str = Field("", max_length=_MAX_PATH)
    unsafe_links: bool = False

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.path is None) == (self.directory is None):
            raise ValueError("give either path or directory")
        if self.directory is not None and self.overwrite:
            raise ValueError("overwrite goes with path: in a directory a file takes a free name")
        return self


@router.get("/files/{cid}/content", response_class=Response, responses={**BYTES, 206: BYTES[200]})
async def read_content(
    context: Context,
    cid: CidInPath,
    path: PathBelow = (),
    offset: Annotated[int, Query(ge=0, le=_MAX_OFFSET)] = 0,
    length: Annotated[int | None, Query(ge=0, le=_MAX_OFFSET)] = None,
    range_header: Annotated[str | None, Header(alias="range", max_length=200)] = None,
    timeout_s: TimeoutS = DEFAULT_TIMEOUT_S,
) -> RangeAnswer:
    """A file's bytes in order, each block verified before it is sent, from here or from the swarm.

    Of a part, by `offset` and `length` or by one range in the `Range` header (which counts within the whole file and
    goes before them), only the blocks that hold it are read. An answer that breaks off says why at `/downloads/{id}`,
    the id being its `chiral-download` header.
    """
    download = context.broken.new_id()
    ranged = span_of(range_header)
    span = ranged if not ranged.is_whole else Span(offset, None if length is None else offset + length)

    async def work(sink: ByteSink) -> None:
        async with context.node.files.open(cid, timeout_s=timeout_s, path=path, span=span) as reader:
            answer.status, headers = part_headers(reader, ranged)
            await sink.begin({**headers, **_described(reader), DOWNLOAD_HEADER: download})
            last = b""
            async for part in reader:
                if last:
                    await sink.write(last)
                last = part
        # The file is sound and in the catalogue only now: before that a client must not take it for whole and leave.
        if last:
            await sink.write(last)

    answer = RangeAnswer(work, lambda error: context.broken.note(download, error))
    return answer


def _described(reader: ServedReader) -> dict[str, str]:
    return {
        "content-type": "application/octet-stream",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "content-disposition": "attachment",
        NAME_HEADER: quote(as_text(reader.name[:1024])),
    }


@router.get("/downloads/{download}")
async def why_broken(context: Context, download: str) -> Fault:
    """Why a download broke off."""
    fault = context.broken.get(download)
    if fault is None:
        raise NotFoundError(f"no broken download {download[:40]!r} is known")
    return fault


@router.post("/files/{cid}/save", response_model=SavedFile, dependencies=[Depends(only_local)])
async def save(context: Context, cid: CidInPath, asked: SaveTo) -> LineAnswer:
    """Fetch a file or a directory into a local path (Unix socket only), whole or not at all.

    Answers with lines: progress, then the result or an error.
    """
    place = await trio.to_thread.run_sync(_place, asked, context.data_dir)

    async def work(sink: LineSink) -> SavedFile:
        saved = await context.node.files.save(
            cid,
            place,
            overwrite=asked.overwrite,
            timeout_s=asked.timeout_s,
            progress=sink.progress,
            path=below(asked.inside),
            unsafe_links=asked.unsafe_links,
        )
        return SavedFile.of(saved)

    return LineAnswer(work)


def _place(asked: SaveTo, data_dir: Path) -> Path:
    if asked.path is not None:
        return file_to_write(asked.path, data_dir, overwrite=asked.overwrite)
    return folder_to_write(asked.directory or "", data_dir)
