"""Versions of names, differences between contents, and deltas."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from chiral.api.answers import LateAnswer
from chiral.api.catalogue_records import (
    CatalogueEntry,
    FileDifference,
    FileVersion,
    MadeDelta,
    NamePage,
    NameWithVersions,
    ResolvedName,
    VersionPage,
)
from chiral.api.context import Context
from chiral.api.query import DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S, Limit
from chiral.block.cid import CID
from chiral.files.versions import MAX_NAME_BYTES

router = APIRouter(tags=["versions"])
_MAX_VERSION = (1 << 32) - 1
Name = Annotated[str, Query(min_length=1, max_length=MAX_NAME_BYTES)]
Content = Annotated[str, Query(min_length=1, max_length=MAX_NAME_BYTES + 16, description="a CID, NAME or NAME@N")]
Version = Annotated[int, Query(ge=1, le=_MAX_VERSION)]
TimeoutInBody = Annotated[float, Field(gt=0, le=MAX_TIMEOUT_S)]


class NewVersion(BaseModel):
    """A CID held here that is to be the latest version of `name`."""

    name: str = Field(min_length=1, max_length=MAX_NAME_BYTES)
    cid: str = Field(max_length=512)


class EarlierVersion(BaseModel):
    """A version that is to be the latest once more."""

    name: str = Field(min_length=1, max_length=MAX_NAME_BYTES)
    number: int = Field(ge=1, le=_MAX_VERSION)


class BetweenFiles(BaseModel):
    """From `base` to `target`: CIDs or versions held here."""

    base: str = Field(max_length=MAX_NAME_BYTES + 16)
    target: str = Field(max_length=MAX_NAME_BYTES + 16)
    timeout_s: TimeoutInBody = DEFAULT_TIMEOUT_S


class OntoFile(BaseModel):
    """`delta` onto `base`: CIDs or versions."""

    base: str = Field(max_length=MAX_NAME_BYTES + 16)
    delta: str = Field(max_length=MAX_NAME_BYTES + 16)
    timeout_s: TimeoutInBody = DEFAULT_TIMEOUT_S


@router.get("/versions")
async def list_versions(
    context: Context, name: Name, after: Annotated[int, Query(ge=0, le=_MAX_VERSION)] = 0, limit: Limit = 100
) -> VersionPage:
    """The versions of one name, the oldest first, a page at a time; an empty page for a name that has none."""
    library = context.node.library
    versions = await library.versions.page(name, after, limit)
    held = await library.labels.held([version.root for version in versions])
    items = [FileVersion.of(version, held=here) for version, here in zip(versions, held, strict=True)]
    return VersionPage(items=items, next=versions[-1].number if len(versions) == limit else None)


@router.get("/versions/names")
async def list_names(
    context: Context, after: Annotated[str, Query(max_length=MAX_NAME_BYTES)] = "", limit: Limit = 100
) -> NamePage:
    """The names that have versions, in no particular order, a page at a time."""
    names = await context.node.library.versions.names(after, limit)
    following = names[-1].name if len(names) == limit else None
    return NamePage(items=[NameWithVersions.of(name) for name in names], next=following)


@router.get("/versions/resolve")
async def resolve(context: Context, text: Content) -> ResolvedName:
    """The CID that a text means: the one it writes, the version `NAME@N`, or the latest version of `NAME`."""
    return ResolvedName(cid=str(await context.node.library.versions.resolve_any(text)))


@router.post("/versions", status_code=201)
async def add_version(context: Context, asked: NewVersion) -> FileVersion:
    """Make a content held here the latest version of a name; where it is that already, nothing changes."""
    library = context.node.library
    record = await library.labels.find(CID.parse(asked.cid))
    return FileVersion.of(await library.versions.add(asked.name, record.root, record.size))


@router.post("/versions/restore", status_code=201)
async def restore(context: Context, asked: EarlierVersion) -> FileVersion:
    """Make an earlier version the latest once more, under a new number."""
    return FileVersion.of(await context.node.library.versions.restore(asked.name, asked.number))


@router.delete("/versions")
async def remove_version(context: Context, name: Name, number: Version) -> FileVersion:
    """Forget a version. Its content stays: that is removed by its CID."""
    return FileVersion.of(await context.node.library.versions.remove(name, number))


@router.get("/difference", response_model=FileDifference)
async def difference(context: Context, a: Content, b: Content) -> LateAnswer:
    """What two contents held here have in common, told by their chunks."""
    library = context.node.library

    async def work() -> FileDifference:
        older, newer = [await library.versions.resolve_any(text) for text in (a, b)]
        return FileDifference.of(await library.differ.compare(older, newer))

    return LateAnswer(work)


@router.post("/deltas", response_model=MadeDelta)
async def make_delta(context: Context, asked: BetweenFiles) -> LateAnswer:
    """Add a delta between two files held here, of at most 64 MiB each, as a file of its own."""
    library = context.node.library

    async def work() -> MadeDelta:
        base, target = [await library.versions.resolve_any(text) for text in (asked.base, asked.target)]
        return MadeDelta.of(await library.deltas.make(base, target, timeout_s=asked.timeout_s))

    return LateAnswer(work)


@router.post("/deltas/apply", response_model=CatalogueEntry)
async def apply_delta(context: Context, asked: OntoFile) -> LateAnswer:
    """Rebuild the file that a delta leads to, hold it against its CID and keep it here; what is missing is fetched."""
    library = context.node.library

    async def work() -> CatalogueEntry:
        base, delta = [await library.versions.resolve_any(text) for text in (asked.base, asked.delta)]
        return CatalogueEntry.of(await library.deltas.apply(base, delta, timeout_s=asked.timeout_s))

    return LateAnswer(work)
