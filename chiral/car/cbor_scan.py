"""Goes over DAG-CBOR without building its values: finds the links, bounds items and nesting. No recursion.

Source: IPLD specification "DAG-CBOR". Laxer than a decoder: it asks neither for the shortest form of a number nor for
the order of keys, because blocks by older writers have to be walked all the same.
"""

from __future__ import annotations

import re

from chiral.block.cid import CID
from chiral.errors import InvalidCidError, MalformedContentError

_BYTES, _TEXT, _LIST, _MAP, _TAG = 2, 3, 4, 5, 6
_LINK_TAG = 42
_SHORT_ARGUMENT = 24
_LONGEST_ARGUMENT = 27
_ONE_BYTE_ITEMS = re.compile(rb"[\x00-\x17\x20-\x37\xf4-\xf6]+")
"""Runs of small numbers, false, true and null: gone over at once, for they are the most that a block can hold."""


def scan_cbor(data: bytes, *, max_items: int, max_depth: int) -> list[CID]:
    """The links in the one value that `data` is, in order.

    Raises `MalformedContentError` for anything else, and for over `max_items` items (a link is one) or values nested
    over `max_depth` deep.
    """
    scan = _Scan(data, max_items, max_depth)
    scan.run()
    return scan.links


class _Scan:
    """`left` is how many items are still to come at each level, the innermost last."""

    def __init__(self, data: bytes, max_items: int, max_depth: int) -> None:
        self._data = data
        self._at = 0
        self._left = [1]
        self._items_left = max_items
        self._max_depth = max_depth
        self.links: list[CID] = []

    def run(self) -> None:
        while True:
            while self._left and not self._left[-1]:
                self._left.pop()
            if not self._left:
                break
            run = _ONE_BYTE_ITEMS.match(self._data, self._at)
            if run is None:
                self._count(1)
                self._take_item()
            else:
                count = min(run.end() - self._at, self._left[-1])
                self._count(count)
                self._at += count
        if self._at != len(self._data):
            raise _malformed(f"{len(self._data) - self._at} bytes follow its value")

    def _count(self, items: int) -> None:
        self._left[-1] -= items
        self._items_left -= items
        if self._items_left < 0:
            raise _malformed("more items than are allowed")

    def _take_item(self) -> None:
        kind, argument = self._take_head()
        if kind in (_BYTES, _TEXT):
            self._take_bytes(argument)
        elif kind in (_LIST, _MAP):
            if len(self._left) > self._max_depth:
                raise _malformed(f"nested over {self._max_depth} deep")
            self._left.append(argument if kind == _LIST else 2 * argument)
        elif kind == _TAG:
            self._take_link(argument)

    def _take_head(self) -> tuple[int, int]:
        """`(major type, argument)` of the item here."""
        head = self._take_bytes(1)[0]
        kind, low = head >> 5, head & 0x1F
        if low < _SHORT_ARGUMENT:
            return kind, low
        if low > _LONGEST_ARGUMENT:
            raise _malformed("an item of indefinite length")
        return kind, int.from_bytes(self._take_bytes(1 << (low - _SHORT_ARGUMENT)), "big")

    def _take_bytes(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise _malformed("it ends short")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def _take_link(self, tag: int) -> None:
        kind, length = self._take_head()
        if tag != _LINK_TAG or kind != _BYTES:
            raise _malformed(f"tag {tag}, or a link that is not bytes")
        encoded = self._take_bytes(length)
        if encoded[:1] != b"\0":
            raise _malformed("a link that does not begin with zero")
        try:
            self.links.append(CID.from_bytes(encoded[1:]))
        except InvalidCidError as error:
            raise _malformed(f"a link whose CID is none: {error.message}") from error


def _malformed(what: str) -> MalformedContentError:
    return MalformedContentError(f"not DAG-CBOR: {what}")
