"""Finds names in directories and lists them, in one node or sharded; walks paths from a root.

Source: UnixFS specification, "Path resolution" and "HAMTDirectory".
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from chiral.block.cid import CID
from chiral.dag.dag_node import MAX_DEPTH, Block, DagNode, Walk, Want, fetch_node
from chiral.dag.dag_pb import PbLink
from chiral.dag.directory import HASH_BITS, name_hash, prefix_digits, shard_index
from chiral.dag.unixfs import MURMUR3_X64_64, NodeType
from chiral.errors import MalformedContentError, NotFoundError

MIN_FANOUT, MAX_FANOUT = 8, 1024
MAX_SHARD_DEPTH = HASH_BITS // (MIN_FANOUT.bit_length() - 1)
"""Below it there are no bits of the hash left to tell names apart."""


@dataclass(frozen=True, slots=True)
class NamedLink:
    """A directory's entry; `tsize` is what its blocks come to in bytes, a claim, None where it is not told."""

    name: str
    cid: CID
    tsize: int | None


Listing = Generator[Want | NamedLink, Block, None]
"""Yields what it wants, and the entries (what is sent in answer to those is not looked at)."""


def resolve(root: CID, path: Sequence[str]) -> Walk[DagNode]:
    """The node that `path` leads to from `root`; empty segments and `.` stand for nothing.

    Raises `NotFoundError` for a name that is not there, `MalformedContentError`.
    """
    node = yield from fetch_node(root)
    for name in path:
        if name in ("", "."):
            continue
        if not node.is_directory:
            raise NotFoundError(f"{node.cid} is not a directory: there is no {name[:80]!r} in it")
        link = yield from find(node, name)
        if link is None:
            raise NotFoundError(f"there is no {name[:80]!r} in {node.cid}")
        node = yield from fetch_node(link.cid)
    return node


def find(directory: DagNode, name: str) -> Walk[NamedLink | None]:
    """The entry `name` of `directory`, or None. Raises `MalformedContentError`."""
    if not name:
        return None  # in a shard, a link without a name leads to the shard below
    if directory.type is not NodeType.HAMT_SHARD:
        return next((entry for entry in _plain_entries(directory) if entry.name == name), None)
    hashed = name_hash(name)
    node = directory
    for depth in range(MAX_DEPTH):
        shard = _Shard.of(node)
        try:
            prefix = shard.prefix(shard_index(hashed, depth, shard.fanout))
        except ValueError:
            return None
        link = next((link for link in shard.links if link.name == prefix + name), None)
        if link is not None:
            return NamedLink(name, link.cid, link.tsize)
        below = next((link for link in shard.links if link.name == prefix), None)
        if below is None:
            return None
        node = yield from fetch_node(below.cid)
    return None


def list_entries(directory: DagNode) -> Listing:
    """Every entry of `directory`: of a plain one in the order of its node, of a sharded one shard by shard.

    Raises `MalformedContentError` if it is no directory, or a name comes twice in it.
    """
    seen: set[str] = set()
    stack: list[tuple[CID, DagNode | None, int]] = [(directory.cid, directory, 0)]
    while stack:
        cid, known, depth = stack.pop()
        node = known or (yield from _fetch(cid, tuple(other for other, _, _ in reversed(stack))))
        entries, below = _entries(node, is_shard=directory.type is NodeType.HAMT_SHARD)
        for entry in entries:
            if entry.name in seen:
                raise MalformedContentError(f"{directory.cid}: the name {entry.name[:80]!r} comes twice")
            seen.add(entry.name)
            yield entry
        if below and depth >= MAX_SHARD_DEPTH:
            raise MalformedContentError(f"{directory.cid}: shards deeper than their hash")
        stack += [(link.cid, None, depth + 1) for link in reversed(below)]


def _fetch(cid: CID, ahead: tuple[CID, ...]) -> Generator[Want | NamedLink, Block, DagNode]:
    return (yield from fetch_node(cid, ahead))


def _entries(node: DagNode, *, is_shard: bool) -> tuple[Iterator[NamedLink], list[PbLink]]:
    """The entries that stand in a node, and the links to shards below it."""
    if not is_shard:
        return _plain_entries(node), []
    shard = _Shard.of(node)
    return shard.entries(), shard.below()


def _plain_entries(node: DagNode) -> Iterator[NamedLink]:
    if node.type is not NodeType.DIRECTORY or node.pb is None:
        raise MalformedContentError(f"{node.cid} is a {node.type.name.lower()}, not a directory")
    return (NamedLink(link.name or "", link.cid, link.tsize) for link in node.pb.links)


@dataclass(frozen=True, slots=True)
class _Shard:
    """A shard's links; the name of each begins with its place, in `digits` hexadecimal digits."""

    links: tuple[PbLink, ...]
    fanout: int
    digits: int

    @classmethod
    def of(cls, node: DagNode) -> _Shard:
        data = node.unixfs
        if node.pb is None or data is None or data.type is not NodeType.HAMT_SHARD:
            raise MalformedContentError(f"{node.cid} is a {node.type.name.lower()}, not a shard of a directory")
        fanout = data.fanout or 0
        if not MIN_FANOUT <= fanout <= MAX_FANOUT or fanout & (fanout - 1):
            raise MalformedContentError(f"{node.cid}: a shard of {fanout} places")
        if data.hash_type != MURMUR3_X64_64:
            raise MalformedContentError(f"{node.cid}: a shard by hash {data.hash_type}")
        shard = cls(node.pb.links, fanout, prefix_digits(fanout))
        bitfield = int.from_bytes(data.data or b"", "big")
        if bitfield != sum({1 << shard._place(link, node.cid) for link in shard.links}):
            raise MalformedContentError(f"{node.cid}: a shard whose links are not those it announces")
        return shard

    def prefix(self, place: int) -> str:
        return f"{place:0{self.digits}X}"

    def entries(self) -> Iterator[NamedLink]:
        for link in self.links:
            name = (link.name or "")[self.digits :]
            if name:
                yield NamedLink(name, link.cid, link.tsize)

    def below(self) -> list[PbLink]:
        return [link for link in self.links if len(link.name or "") == self.digits]

    def _place(self, link: PbLink, cid: CID) -> int:
        try:
            place = int((link.name or "")[: self.digits], 16)
        except ValueError:
            place = self.fanout
        if place >= self.fanout or not (link.name or "").startswith(self.prefix(place)):
            raise MalformedContentError(f"{cid}: a link of a shard named {(link.name or '')[:40]!r}")
        return place
