"""The order of an archive: depth first, a node before what it links to, each CID once. Pure; recursion-free.

It is the order of Kubo's `dag export`, so that the same DAG gives the same archive, to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chiral.block.cid import CID, raw_cid
from chiral.errors import MalformedContentError
from chiral.files.archive_seen import SeenCids

MAX_OPEN_LINKS = 1 << 20
"""Links of the nodes between the root and where the walk is: bounds memory (some 100 MB) whatever the DAG's shape."""
_LOOKED_AT_PER_FOUND = 4
_RAW_SHA2_256 = b"\x01\x55\x12\x20"
_RAW_SHA2_256_BYTES = 36


@dataclass(slots=True)
class _Open:
    """A node whose links are being gone through."""

    number: int
    links: Sequence[bytes]
    next: int = 0


def cid_of(binary: bytes) -> CID:
    """The CID with this binary form, known to be one; of the everyday kind at a fraction of the cost of reading it."""
    if len(binary) == _RAW_SHA2_256_BYTES and binary.startswith(_RAW_SHA2_256):
        return raw_cid(binary[len(_RAW_SHA2_256) :])
    return CID.from_bytes(binary)


class DepthFirst:
    """To be asked for the `next` CID and told, by `take`, what the block behind it is.

    Subclasses hear of links to what was given before, and of nodes that are done with.
    """

    def __init__(self, roots: Sequence[CID], key: bytes) -> None:
        self.seen = SeenCids(key)
        self._open = [_Open(-1, tuple(root.buffer for root in roots))]
        self._open_links = len(roots)
        self.number = -1
        """Of the CID that `next` gave last, in the order of `seen`."""

    @property
    def depth(self) -> int:
        """How many links lie between a root and the CID given last."""
        return len(self._open) - 1

    def next(self) -> CID | None:
        """The next CID that was not given yet, or None at the end."""
        while self._open:
            node = self._open[-1]
            if node.next == len(node.links):
                self._open.pop()
                self._open_links -= len(node.links)
                self.closed(node.number)
                continue
            cid = node.links[node.next]
            node.next += 1
            self.number, is_new = self.seen.number(cid)
            if is_new:
                return cid_of(cid)
            self.met_again(self.number)
        return None

    def take(self, size: int | None, links: Sequence[bytes]) -> None:
        """The CID given last is a block of `size` bytes (None: it is not to be had) with these links: they come next.

        Raises `MalformedContentError` where more links are open than are allowed.
        """
        if not links:
            return
        if self._open_links + len(links) > MAX_OPEN_LINKS:
            raise MalformedContentError(f"a DAG with over {MAX_OPEN_LINKS} links on one path")
        self._open_links += len(links)
        self._open.append(_Open(self.number, links))

    def ahead(self, count: int) -> Iterator[bytes]:
        """CIDs that come soon, up to `count`, the next first, unless a node before them holds them too."""
        looks = count * _LOOKED_AT_PER_FOUND
        for node in reversed(self._open):
            looks -= 1  # of a long chain most nodes have nothing left
            for at in range(node.next, min(len(node.links), node.next + max(0, looks))):
                looks -= 1
                if node.links[at] not in self.seen:
                    yield node.links[at]
                    count -= 1
                if not count:
                    return
            if looks <= 0:
                return

    @property
    def inside(self) -> int:
        """The number of the node whose links are being gone through; -1 for what holds the roots."""
        return self._open[-1].number if self._open else -1

    def met_again(self, number: int) -> None:
        """A link inside that node leads to CID `number`, which was given before."""

    def closed(self, number: int) -> None:
        """Everything below CID `number` has been given; `inside` is the node above it."""
