"""Builds the DAG of a directory: one node, or a tree of shards where that would grow too large.

Source: UnixFS specification, "Directory" and "HAMTDirectory". Names are bytes in order; nobody's name is there twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import mmh3

from chiral.block.block import Block
from chiral.dag.dag_pb import PbLink
from chiral.dag.dag_profile import DagChild, DagProfile
from chiral.dag.unixfs import MURMUR3_X64_64, ModifiedTime, NodeType, UnixFsData, encode_unixfs
from chiral.errors import UsageError

HASH_BITS = 64
MAX_NAME_BYTES = 255
"""What common file systems take; a name that cannot be written out again is of no use."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """POSIX permission bits and modification time of a file or directory, None where they are not to be told."""

    mode: int | None = None
    mtime: ModifiedTime | None = None


NO_METADATA = Metadata()


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A name in a directory and what it stands for."""

    name: str
    child: DagChild


def build_directory(
    profile: DagProfile, entries: Iterable[DirectoryEntry], metadata: Metadata = NO_METADATA
) -> tuple[list[Block], DagChild]:
    """The blocks of a directory, its root last, and the child it makes.

    Raises `UsageError` for a name that is empty, `.` or `..`, holds a slash or NUL, is too long, or comes twice.
    """
    ordered = sorted(entries, key=lambda entry: entry.name.encode())
    _check(ordered)
    links = [entry.child.link(entry.name) for entry in ordered]
    data = encode_unixfs(UnixFsData(NodeType.DIRECTORY, mode=metadata.mode, mtime=metadata.mtime))
    if _size(profile, links, data) <= profile.shard_bytes:
        block = profile.node(data, links)
        return [block], _child_of(block, links)
    made: list[Block] = []
    hashed = [(name_hash(link.name or ""), link) for link in links]
    return made, _shard(profile, hashed, 0, metadata, made)


def symlink(profile: DagProfile, target: bytes) -> tuple[Block, DagChild]:
    """The block of a symbolic link to `target`, a path as the system has it, and the child it makes."""
    block = profile.node(encode_unixfs(UnixFsData(NodeType.SYMLINK, target)))
    return block, DagChild(block.cid, len(target), len(block))


def name_hash(name: str) -> int:
    """Where a name belongs in a sharded directory: the first 64 bits of MurmurHash3 x64, most significant first."""
    return int(mmh3.hash64(name.encode(), x64arch=True, signed=False)[0])


def shard_index(hashed: int, depth: int, fanout: int) -> int:
    """The place of a hash in a shard at `depth`; raises `ValueError` where its bits are used up."""
    bits = fanout.bit_length() - 1
    shift = HASH_BITS - bits * (depth + 1)
    if shift < 0:
        raise ValueError("the bits of the hash are used up")
    return hashed >> shift & (fanout - 1)


def prefix_digits(fanout: int) -> int:
    """How many hexadecimal digits begin the name of every link of a shard."""
    return len(f"{fanout - 1:X}")


def _shard(
    profile: DagProfile, links: Sequence[tuple[int, PbLink]], depth: int, metadata: Metadata, made: list[Block]
) -> DagChild:
    """Make the shard of `links` at `depth` and all below it."""
    places: dict[int, list[tuple[int, PbLink]]] = {}
    for hashed, link in links:
        places.setdefault(shard_index(hashed, depth, profile.fanout), []).append((hashed, link))
    digits = prefix_digits(profile.fanout)
    bitfield = 0
    own: list[PbLink] = []
    for place in sorted(places):
        bitfield |= 1 << place
        inside = places[place]
        prefix = f"{place:0{digits}X}"
        if len(inside) == 1:
            link = inside[0][1]
            own.append(PbLink(link.cid, prefix + (link.name or ""), link.tsize))
        else:
            own.append(_shard(profile, inside, depth + 1, NO_METADATA, made).link(prefix))
    data = encode_unixfs(
        UnixFsData(
            NodeType.HAMT_SHARD,
            bitfield.to_bytes((bitfield.bit_length() + 7) // 8, "big"),
            hash_type=MURMUR3_X64_64,
            fanout=profile.fanout,
            mode=metadata.mode,
            mtime=metadata.mtime,
        )
    )
    block = profile.node(data, own)
    made.append(block)
    return _child_of(block, own)


def _child_of(block: Block, links: Sequence[PbLink]) -> DagChild:
    below = sum(link.tsize or 0 for link in links)
    return DagChild(block.cid, 0, len(block) + below)


def _size(profile: DagProfile, links: list[PbLink], data: bytes) -> int:
    if profile.shard_by == "links":
        return sum(len((link.name or "").encode()) + len(link.cid.buffer) for link in links)
    return len(profile.node(data, links))


def _check(entries: Sequence[DirectoryEntry]) -> None:
    before = None
    for entry in entries:
        fault = name_fault(entry.name)
        if fault or entry.name == before:
            raise UsageError(f"{entry.name[:80]!r} cannot be a name in a directory: {fault or 'it is there twice'}")
        before = entry.name


def name_fault(name: str) -> str:
    """Why `name` cannot be the name of a directory's entry; empty if it can."""
    if name in ("", ".", ".."):
        return "it is empty or stands for a directory itself"
    if "/" in name or "\0" in name:
        return "it holds a slash or NUL"
    if len(name.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES:
        return f"it is over {MAX_NAME_BYTES} bytes"
    return ""
