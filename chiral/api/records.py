"""What the API answers with: the models of its JSON, and how the node's own values become them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, Field

from chiral.api.faults import Fault
from chiral.block.cid import CID
from chiral.host.addresses import address_text
from chiral.interface.catalogue import FileRecord, Kind
from chiral.interface.peer import PeerId, PeerInfo
from chiral.interface.routing import ProvideResult
from chiral.interface.streams import ConnectionInfo

if TYPE_CHECKING:
    from chiral.files.results import FileAdded, FileSaved


class AddedFile(BaseModel):
    """A file that was added. `size` in bytes; `cid` is its Chiral root, `dag_cid` the root of its UnixFS DAG.

    `new_blocks` of its chunks, of `new_bytes` together, were not here before; `known` is whether the file was.
    """

    cid: str
    dag_cid: str | None
    name: str
    size: int
    chunks: int
    new_blocks: int
    new_bytes: int
    known: bool

    @classmethod
    def of(cls, added: FileAdded) -> Self:
        return cls(
            cid=str(added.root),
            dag_cid=None if added.dag_root is None else str(added.dag_root),
            name=as_text(added.name),
            size=added.size,
            chunks=added.chunks,
            new_blocks=added.new_blocks,
            new_bytes=added.new_bytes,
            known=added.known,
        )


class BatchItem(BaseModel):
    """What became of one file of a batch: the file, or what went wrong with it."""

    added: AddedFile | None = None
    error: Fault | None = None


class BatchCount(BaseModel):
    """How many files of a batch were added, and how many could not be."""

    added: int
    failed: int


class SavedFile(BaseModel):
    """What was fetched into a local path, whole and verified. `providers` is how many peers gave blocks.

    `files` counts those of a directory; null for a file.
    """

    cid: str
    name: str
    size: int
    path: str
    providers: int
    seconds: float
    files: int | None = None

    @classmethod
    def of(cls, saved: FileSaved) -> Self:
        return cls(
            cid=str(saved.root),
            name=as_text(saved.name),
            size=saved.size,
            path=as_text(saved.path),
            providers=saved.providers,
            seconds=round(saved.seconds, 6),
            files=saved.files,
        )


class FileEntry(BaseModel):
    """A file of the catalogue, or a directory or other DAG (`kind`), whose `cid` is that of its DAG.

    Times in Unix seconds; `name` and `created_at` are what its maker claimed.
    """

    cid: str
    dag_cid: str | None
    kind: Kind
    name: str
    size: int
    chunks: int
    created_at: int
    added_at: int

    @classmethod
    def of(cls, record: FileRecord) -> Self:
        return cls(
            cid=str(record.root),
            dag_cid=None if record.dag_root is None else str(record.dag_root),
            kind=record.kind,
            name=as_text(record.name),
            size=record.size,
            chunks=record.chunks,
            created_at=record.created_at,
            added_at=record.added_at,
        )


class FilePage(BaseModel):
    """Files in the order of their roots' hashes; `next` is the `after` of the next page, null on the last."""

    items: list[FileEntry]
    next: str | None


class FileChunk(BaseModel):
    """A block of a file and its size in bytes."""

    cid: str
    size: int


class ChunkPage(BaseModel):
    """A file's chunks in order; `next` is the `start` of the next page, null on the last."""

    items: list[FileChunk]
    next: int | None


class Peer(BaseModel):
    """A peer and the addresses known of it."""

    peer_id: str
    addrs: list[str]

    @classmethod
    def of(cls, info: PeerInfo) -> Self:
        return cls(peer_id=str(info.peer), addrs=[address_text(addr) for addr in info.addrs])


class PeerList(BaseModel):
    """Peers in the order that the route says."""

    items: list[Peer]


class Connection(BaseModel):
    """A live connection. `age_s` and `latency_s` in seconds; `latency_s` is null until measured."""

    peer_id: str
    addr: str | None
    direction: str
    agent: str
    protocols: list[str]
    latency_s: float | None
    streams: int
    age_s: float

    @classmethod
    def of(cls, info: ConnectionInfo, now: float) -> Self:
        return cls(
            peer_id=str(info.peer),
            addr=None if info.addr is None else address_text(info.addr),
            direction=info.direction,
            agent=info.agent,
            protocols=sorted(info.protocols),
            latency_s=info.latency_s,
            streams=info.streams,
            age_s=round(max(0.0, now - info.since), 3),
        )


class ConnectionList(BaseModel):
    """The live connections."""

    items: list[Connection]


class Announcement(BaseModel):
    """Of one key (hexadecimal): how many peers were asked to keep the record, and how many took it."""

    key: str
    asked: int
    stored: int

    @classmethod
    def of(cls, result: ProvideResult) -> Self:
        return cls(key=result.key.hex(), asked=result.asked, stored=result.stored)


class AnnouncementList(BaseModel):
    """What became of an announcement, a key each."""

    items: list[Announcement]


class Count(BaseModel):
    """How many items a line stream carried."""

    count: int


class Done(BaseModel):
    """Nothing more to say than that it was done."""

    done: bool = Field(True)


def as_text(name: str) -> str:
    """A name made elsewhere without the half characters that no UTF-8 answer could carry."""
    return name.encode("utf-8", "replace").decode()


def plain(value: object) -> Any:
    """`value` as JSON knows it: dataclasses become objects, CIDs and peers text, other bytes hexadecimal digits."""
    if isinstance(value, CID | PeerId):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value
