"""What can be searched for of a catalogued file, as one row of bytes, and which rows a query wants. Touches no store.

A row's key is the time the file was added, counted backwards, and its root's multihash: rows stand in the order in
which a search tells of them, the latest first. The row says kind, type and tags, and then the names without regard to
case; the size stands apart from it.
"""

from __future__ import annotations

import struct
import unicodedata

from chiral.interface.catalogue import FileQuery, FileRecord

_TIME = struct.Struct(">Q")
MAX_NUMBER = (1 << 64) - 1
_TAG, _KIND, _END = b"\x01", b"\x02", b"\x00"
_MOST_NAMES_BYTES = 4096
"""Of all of a file's names together; what is beyond is not searched."""
_MOST_MIME_BYTES = 255


def row_key(added_at: int, root: bytes) -> bytes:
    """The key of the row of the file under multihash `root`; with an empty root the first of that second."""
    return _TIME.pack(MAX_NUMBER - min(max(added_at, 0), MAX_NUMBER)) + root


def added_at_of(key: bytes) -> int:
    """When the file under a row's key was added."""
    return MAX_NUMBER - int(_TIME.unpack_from(key)[0])


def root_of(key: bytes) -> bytes:
    """The multihash of the root in a row's key."""
    return key[_TIME.size :]


def pack_row(record: FileRecord) -> bytes:
    """A file's row: under 64 KiB."""
    kind = _KIND + record.kind.encode() + _KIND + record.mime.lower().encode()[:_MOST_MIME_BYTES]
    tags = b"".join(_TAG + tag.encode() for tag in record.tags) + _TAG
    names = folded("\n".join((record.name, *record.other_names)))
    return kind + tags + _END + names[:_MOST_NAMES_BYTES]


def folded(text: str) -> bytes:
    """`text` as it is compared: one form of each letter, no case."""
    return unicodedata.normalize("NFC", text).casefold().encode("utf-8", "replace")


class RowFilter:
    """Which rows a query wants, times aside: those are bounds of the keys."""

    def __init__(self, query: FileQuery) -> None:
        self._words = sorted(map(folded, query.text.split()), key=len, reverse=True)
        self._marks = [_TAG + tag.encode() + _TAG for tag in query.tags]
        if query.mime.strip():
            self._marks.append(_KIND + _mime_start(query.mime))
        if query.kind is not None:
            self._marks.append(_KIND + query.kind.encode() + _KIND)
        tags = len(query.tags)
        self.needles = [*self._marks[:tags], *self._words, *self._marks[tags:]]
        """What is somewhere in every row that is wanted; what is likely to be rare comes first."""
        self.least = 0 if query.larger is None else query.larger
        self.most = MAX_NUMBER if query.smaller is None else query.smaller
        self.any_size = query.larger is None and query.smaller is None

    def wants(self, row: bytes) -> bool:
        """Whether this row is one of those, its size aside."""
        end = row.index(_END)
        for word in self._words:
            if row.find(word, end) < 0:
                return False
        # A loop, because a generator takes as long as all the looking.
        for mark in self._marks:  # noqa: SIM110
            if row.find(mark, 0, end) < 0:
                return False
        return True


def _mime_start(mime: str) -> bytes:
    """What a type begins with: all of it and the mark after it, or the part before the slash for `image/*`, `image`."""
    asked = mime.strip().lower().removesuffix("*")
    if asked.endswith("/"):
        return asked.encode()
    return asked.encode() + (_TAG if "/" in asked else b"/")
