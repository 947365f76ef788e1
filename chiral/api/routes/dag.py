"""DAGs: archives out and in, what one comes to, one value of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

import trio
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from chiral.api.answers import ByteAnswer, ByteSink, LineAnswer, LineSink
from chiral.api.archive_records import DagMeasures, ExportedArchive, ImportedArchive
from chiral.api.context import Context, only_local
from chiral.api.local_path import file_to_read, file_to_write
from chiral.api.query import DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S, CidInPath, TimeoutS
from chiral.api.records import as_text
from chiral.api.routes.content import DOWNLOAD_HEADER
from chiral.api.upload import body_parts
from chiral.block.cid import CID
from chiral.files.archive_export import Piece
from chiral.files.archive_results import ExportOptions

router = APIRouter(prefix="/dag", tags=["dag"])
CAR_TYPE = "application/vnd.ipld.car"
_MAX_PATH = 4096
_MAX_NAME = 255
_ARCHIVE: dict[int | str, dict[str, Any]] = {200: {"content": {CAR_TYPE: {}}}}
_VALUE: dict[int | str, dict[str, Any]] = {
    200: {"content": {f"application/vnd.ipld.{codec}": {} for codec in ("dag-json", "dag-cbor", "raw")}}
}
CarVersion = Literal[1, 2]
Offline = Annotated[bool, Query(description="ask no peers")]
Partial = Annotated[bool, Query(description="ask no peers and leave out what is not here")]
Codec = Annotated[str, Query(max_length=32, description="dag-json, dag-cbor, dag-pb or raw")]
PathInDag = Annotated[str, Path(max_length=_MAX_PATH)]


class ExportTo(BaseModel):
    """Where an archive is to be written."""

    path: str = Field(max_length=_MAX_PATH)
    overwrite: bool = Field(False, description="replace what is at `path`")
    car_version: CarVersion = 1
    offline: bool = False
    partial: bool = Field(False, description="ask no peers and leave out what is not here")
    timeout_s: float = Field(DEFAULT_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S)

    def options(self) -> ExportOptions:
        """The options of the use case."""
        return ExportOptions(self.car_version, self.offline, self.partial, self.timeout_s)


class ImportFrom(BaseModel):
    """A local archive; a single root is called `name`, else as the file."""

    path: str = Field(max_length=_MAX_PATH)
    name: str | None = Field(None, min_length=1, max_length=_MAX_NAME)
    pin_roots: bool = True


@router.get("/export/{cid}", response_class=Response, responses=_ARCHIVE)
async def export(
    context: Context,
    cid: CidInPath,
    car_version: Annotated[Literal["1", "2"], Query()] = "1",
    offline: Offline = False,
    partial: Partial = False,
    timeout_s: TimeoutS = DEFAULT_TIMEOUT_S,
) -> ByteAnswer:
    """The DAG below a CID as an archive (CAR), each block verified; what is not here is asked of peers.

    An answer that breaks off says why at `/downloads/{id}`, the id being its `chiral-download` header. A file's Chiral
    root stands for its UnixFS DAG, whose root the archive names.
    """
    options = ExportOptions(2 if car_version == "2" else 1, offline, partial, timeout_s)
    download = context.broken.new_id()

    async def work(sink: ByteSink) -> None:
        headers = {
            "content-type": f"{CAR_TYPE}; version={car_version}",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "content-disposition": f'attachment; filename="{cid}.car"',
            DOWNLOAD_HEADER: download,
        }

        async def write(pieces: Sequence[Piece]) -> None:
            await sink.begin(headers)
            if joined := b"".join(pieces):
                await sink.write(joined)

        await context.node.archives.export(cid, write, options)

    return ByteAnswer(work, lambda error: context.broken.note(download, error))


@router.post("/export/{cid}", response_model=ExportedArchive, dependencies=[Depends(only_local)])
async def export_to(context: Context, cid: CidInPath, asked: ExportTo) -> LineAnswer:
    """The same into a local file (Unix socket only). Answers with lines: progress, then the result or an error."""
    path = await trio.to_thread.run_sync(_target, asked, context)

    async def work(sink: LineSink) -> ExportedArchive:
        report = await context.node.archives.export_to(
            cid, path, asked.options(), overwrite=asked.overwrite, progress=sink.progress
        )
        return ExportedArchive.of(report, as_text(str(path)))

    return LineAnswer(work)


@router.post("/import", response_model=ImportedArchive, dependencies=[Depends(only_local)])
async def import_path(context: Context, asked: ImportFrom) -> LineAnswer:
    """Take in a local archive (Unix socket only). Answers with lines: progress, then the result or an error."""
    path = await trio.to_thread.run_sync(file_to_read, asked.path, context.data_dir)

    async def work(sink: LineSink) -> ImportedArchive:
        report = await context.node.archives.import_file(
            path, name=asked.name, pin=asked.pin_roots, progress=sink.progress
        )
        return ImportedArchive.of(report)

    return LineAnswer(work)


@router.put("/import")
async def import_body(
    context: Context,
    request: Request,
    name: Annotated[str | None, Query(min_length=1, max_length=_MAX_NAME)] = None,
    pin_roots: bool = True,
) -> ImportedArchive:
    """Take in the request's body, of any length, as an archive: version 1 or 2, whole or partial.

    Every block is held against its CID. Sound blocks before damage, or before the upload was cut, are kept; nothing
    enters the catalogue then.
    """
    return ImportedArchive.of(await context.node.archives.import_stream(body_parts(request), name=name, pin=pin_roots))


@router.get("/stat/{cid}", response_model=DagMeasures)
async def stat(
    context: Context, cid: CidInPath, offline: Offline = False, timeout_s: TimeoutS = DEFAULT_TIMEOUT_S
) -> LineAnswer:
    """What the DAG below a CID comes to, every block verified. Lines: progress in bytes, then the result or an error.

    What is not here is fetched; with `offline` it is counted as missing.
    """

    async def work(sink: LineSink) -> DagMeasures:
        options = ExportOptions(offline=offline, timeout_s=timeout_s)
        return DagMeasures.of(await context.node.archives.stat(cid, options, progress=sink.progress))

    return LineAnswer(work)


@router.get("/get/{cid}", response_class=Response, responses=_VALUE)
async def read_root(
    context: Context,
    cid: CidInPath,
    output_codec: Codec = "dag-json",
    offline: Offline = False,
    timeout_s: TimeoutS = DEFAULT_TIMEOUT_S,
) -> ByteAnswer:
    """The block of a CID as a value, in another codec."""
    return _value(context, cid, "", output_codec, ExportOptions(offline=offline, timeout_s=timeout_s))


@router.get("/get/{cid}/{path:path}", response_class=Response, responses=_VALUE)
async def read_path(
    context: Context,
    cid: CidInPath,
    path: PathInDag,
    output_codec: Codec = "dag-json",
    offline: Offline = False,
    timeout_s: TimeoutS = DEFAULT_TIMEOUT_S,
) -> ByteAnswer:
    """The value at a path below a CID: keys, places in lists, names of links; links lead to their blocks."""
    return _value(context, cid, path, output_codec, ExportOptions(offline=offline, timeout_s=timeout_s))


def _value(context: Context, cid: CID, path: str, codec: str, options: ExportOptions) -> ByteAnswer:
    async def work(sink: ByteSink) -> None:
        steps = [step for step in path.split("/") if step]
        encoded = await context.node.archives.read(cid, steps, codec, options)
        await sink.begin(
            {
                "content-type": f"application/vnd.ipld.{codec}",
                "content-length": str(len(encoded)),
                "x-content-type-options": "nosniff",
                "content-disposition": "attachment",
            }
        )
        if encoded:
            await sink.write(encoded)

    return ByteAnswer(work)


def _target(asked: ExportTo, context: Context) -> FilePath:
    return file_to_write(asked.path, context.data_dir, overwrite=asked.overwrite)
