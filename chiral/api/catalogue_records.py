"""What the API answers with about the catalogue, versions, differences and deltas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, Field

from chiral.api.records import as_text
from chiral.interface.catalogue import FileRecord, Kind

if TYPE_CHECKING:
    from chiral.files.delta_files import DeltaMade
    from chiral.files.difference import Chunk, Difference
    from chiral.files.versions import Version, VersionedName
    from chiral.files.view import FileView


class CatalogueEntry(BaseModel):
    """All that the catalogue says of one file, directory or other DAG.

    `cid` is what it is asked for by: the Chiral root of a file, the DAG root of what has none. Times in Unix seconds,
    sizes in bytes; `expires_at` is null for what is kept without an end.
    """

    cid: str
    dag_cid: str | None
    kind: Kind
    name: str
    other_names: list[str]
    size: int
    chunks: int
    mime: str
    tags: list[str]
    created_at: int
    added_at: int
    expires_at: int | None

    @classmethod
    def of(cls, record: FileRecord) -> Self:
        return cls(
            cid=str(record.root),
            dag_cid=None if record.dag_root is None else str(record.dag_root),
            kind=record.kind,
            name=as_text(record.name),
            other_names=[as_text(name) for name in record.other_names],
            size=record.size,
            chunks=record.chunks,
            mime=record.mime,
            tags=list(record.tags),
            created_at=record.created_at,
            added_at=record.added_at,
            expires_at=record.expires_at,
        )


class FoundPage(BaseModel):
    """Those that fit, the latest added first; `next` is the `after` of the next page, null on the last."""

    items: list[CatalogueEntry]
    next: str | None


class ViewedFile(BaseModel):
    """A file with the state of its blocks, each hashed again: `whole`, `damaged` or `missing`.

    `blocks` are the different ones that were looked for, `stored_bytes` the sizes of those that are here. Of damaged
    and missing ones the first hundred are named. `manifest_sound` is false where the list of chunks is damaged.
    """

    file: CatalogueEntry
    state: Literal["whole", "damaged", "missing"]
    blocks: int
    stored_bytes: int
    chunk_bytes: int | None
    last_chunk_bytes: int | None
    first_chunks: list[str]
    manifest_sound: bool
    damaged: int
    missing: int
    damaged_cids: list[str]
    missing_cids: list[str]

    @classmethod
    def of(cls, view: FileView) -> Self:
        check = view.check
        return cls.model_validate(
            {
                "file": CatalogueEntry.of(view.record),
                "state": view.state,
                "blocks": check.blocks,
                "stored_bytes": check.size_bytes,
                "chunk_bytes": view.chunk_bytes,
                "last_chunk_bytes": view.last_chunk_bytes,
                "first_chunks": [str(cid) for cid in view.first_chunks],
                "manifest_sound": view.manifest_sound,
                "damaged": check.damaged_count,
                "missing": check.missing_count,
                "damaged_cids": [str(cid) for cid in check.damaged],
                "missing_cids": [str(cid) for cid in check.missing],
            }
        )


class FileVersion(BaseModel):
    """A version of a name; `held` is whether its content is in the catalogue here."""

    name: str
    number: int
    cid: str
    size: int
    added_at: int
    held: bool

    @classmethod
    def of(cls, version: Version, *, held: bool = True) -> Self:
        return cls(
            name=version.name,
            number=version.number,
            cid=str(version.root),
            size=version.size,
            added_at=version.added_at,
            held=held,
        )


class VersionPage(BaseModel):
    """Versions of one name, the oldest first; `next` is the `after` of the next page, null on the last."""

    items: list[FileVersion]
    next: int | None


class NameWithVersions(BaseModel):
    """A name and the number of its latest version."""

    name: str
    latest: int

    @classmethod
    def of(cls, name: VersionedName) -> Self:
        return cls(name=name.name, latest=name.latest)


class NamePage(BaseModel):
    """Names that have versions; `next` is the `after` of the next page, null on the last."""

    items: list[NameWithVersions]
    next: str | None


class DescribedFile(BaseModel):
    """A file as it is described now, and the version it has become, if it was to."""

    file: CatalogueEntry
    version: FileVersion | None


class ResolvedName(BaseModel):
    """The CID that a text means: the one it writes, or the version it names."""

    cid: str


class LoneChunk(BaseModel):
    """A chunk that only one side has; `size` is null where it is not here."""

    cid: str
    size: int | None

    @classmethod
    def of(cls, chunk: Chunk) -> Self:
        return cls(cid=str(chunk.cid), size=chunk.size)


MAX_LONE_CHUNKS = 1000


class FileDifference(BaseModel):
    """How `b` differs from `a`: counts of chunks, and the first thousand of those that one side alone has.

    `new_bytes` is what `b` takes in the store beyond `a`.
    """

    a: CatalogueEntry
    b: CatalogueEntry
    shared_chunks: int
    only_a_chunks: int
    only_b_chunks: int
    new_bytes: int
    only_a: list[LoneChunk]
    only_b: list[LoneChunk]

    @classmethod
    def of(cls, found: Difference) -> Self:
        return cls(
            a=CatalogueEntry.of(found.a),
            b=CatalogueEntry.of(found.b),
            shared_chunks=found.shared,
            only_a_chunks=len(found.only_a),
            only_b_chunks=len(found.only_b),
            new_bytes=found.new_bytes,
            only_a=[LoneChunk.of(chunk) for chunk in found.only_a[:MAX_LONE_CHUNKS]],
            only_b=[LoneChunk.of(chunk) for chunk in found.only_b[:MAX_LONE_CHUNKS]],
        )


class MadeDelta(BaseModel):
    """A delta that was added as a file: `cid` of `size` bytes leads from `base` to `target`."""

    cid: str
    size: int
    base: str
    target: str
    target_size: int = Field(description="bytes of the file it leads to")

    @classmethod
    def of(cls, made: DeltaMade) -> Self:
        return cls(
            cid=str(made.root),
            size=made.size,
            base=str(made.base),
            target=str(made.target),
            target_size=made.target_size,
        )
