"""The catalogue: search, describe, tag, give a lifetime, view with a check of every block."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from chiral.api.answers import LateAnswer
from chiral.api.catalogue_records import CatalogueEntry, DescribedFile, FileVersion, FoundPage, ViewedFile
from chiral.api.context import Context
from chiral.api.query import MAX_TEXT, CidInPath, Limit
from chiral.block.cid import CID
from chiral.errors import UsageError
from chiral.files.labels import MAX_LIFETIME_S, MAX_TAGS
from chiral.files.library import Description
from chiral.interface.catalogue import FileQuery, FileRecord, Kind, Place

router = APIRouter(prefix="/catalogue", tags=["catalogue"])
_MAX_NUMBER = (1 << 63) - 1
_MAX_VERSION_NAME = 1024
_PLACE_MARK = "-"
Number = Annotated[int | None, Query(ge=0, le=_MAX_NUMBER)]
Tags = Annotated[list[str], Field(max_length=MAX_TAGS)]
Lifetime = Annotated[float | None, Field(gt=0, le=MAX_LIFETIME_S, description="seconds from now; null: without an end")]


class ChangedTags(BaseModel):
    """Tags to give to a file and tags to take from it."""

    add: Tags = []
    remove: Tags = []


class Said(BaseModel):
    """What is said of a file just added. `lifetime_s` null says nothing of its lifetime."""

    tags: Tags = []
    lifetime_s: Lifetime = None
    version_of: str | None = Field(None, max_length=_MAX_VERSION_NAME, description="the name it is the newest of")


class Expiry(BaseModel):
    """How long a file is to live."""

    lifetime_s: Lifetime


def _query(
    text: Annotated[str, Query(max_length=MAX_TEXT, description="words that are all in a name of the file")] = "",
    mime: Annotated[str, Query(max_length=MAX_TEXT, description="a type such as image/png, or image/*")] = "",
    tag: Annotated[list[str] | None, Query(max_length=MAX_TAGS, description="tags that it has all of")] = None,
    kind: Kind | None = None,
    larger: Number = None,
    smaller: Number = None,
    since: Number = None,
    before: Number = None,
) -> FileQuery:
    """Sizes in bytes, at least and at most; times of adding in Unix seconds, from and up to but without."""
    return FileQuery(text, mime, tuple(tag or ()), kind, larger, smaller, since, before)


def _after(
    after: Annotated[str, Query(max_length=MAX_TEXT, description="`next` of the page before")] = "",
) -> Place | None:
    added_at, _, root = after.partition(_PLACE_MARK)
    if not after:
        return None
    if not (added_at.isascii() and added_at.isdigit()):
        raise UsageError(f"after: {after[:40]!r} is not the `next` of a page")
    return int(added_at), CID.parse(root)


def _place_text(record: FileRecord) -> str:
    return f"{record.added_at}{_PLACE_MARK}{record.root}"


@router.get("")
async def search(
    context: Context,
    query: Annotated[FileQuery, Depends(_query)],
    after: Annotated[Place | None, Depends(_after)],
    limit: Limit = 100,
) -> FoundPage:
    """Files, directories and other DAGs that fit everything given, the latest added first, a page at a time."""
    records = await context.node.library.labels.search(query, after, limit)
    following = _place_text(records[-1]) if len(records) == limit else None
    return FoundPage(items=[CatalogueEntry.of(record) for record in records], next=following)


@router.get("/{cid}")
async def show(context: Context, cid: CidInPath) -> CatalogueEntry:
    """What the catalogue says of one file, found by its Chiral root or its DAG root."""
    return CatalogueEntry.of(await context.node.library.labels.find(cid))


@router.get("/{cid}/view", response_model=ViewedFile)
async def view(context: Context, cid: CidInPath) -> LateAnswer:
    """One file with the state of its blocks: each that is here is hashed again, none is fetched."""

    async def work() -> ViewedFile:
        return ViewedFile.of(await context.node.library.viewer.view(cid))

    return LateAnswer(work)


@router.post("/{cid}/tags")
async def change_tags(context: Context, cid: CidInPath, asked: ChangedTags) -> CatalogueEntry:
    """Give a file tags and take others from it."""
    return CatalogueEntry.of(await context.node.library.labels.tag(cid, asked.add, asked.remove))


@router.put("/{cid}/lifetime")
async def change_lifetime(context: Context, cid: CidInPath, asked: Expiry) -> CatalogueEntry:
    """Have a file removed after a time, or never."""
    return CatalogueEntry.of(await context.node.library.labels.expire(cid, asked.lifetime_s))


@router.post("/{cid}/description")
async def describe(context: Context, cid: CidInPath, said: Said) -> DescribedFile:
    """Take down, in one go, what is said of a file just added: tags, lifetime, the name it is a version of."""
    description = Description(said.tags, said.lifetime_s, said.version_of)
    record, version = await context.node.library.describe(cid, description)
    return DescribedFile(file=CatalogueEntry.of(record), version=None if version is None else FileVersion.of(version))
