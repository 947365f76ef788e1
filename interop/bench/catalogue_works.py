"""What is measured of the catalogue: names, units and the searches."""

from __future__ import annotations

from collections.abc import Mapping

from chiral.interface.catalogue import FileQuery
from interop.bench.work import TMPFS, Better, Work

FILES = 100_000
EPOCH_S = 1_700_000_000
YEAR_S = 365 * 86_400

QUERIES: Mapping[str, FileQuery] = {
    "a common word": FileQuery("invoice"),
    "one file's name": FileQuery("77777"),
    "nothing": FileQuery("nowhere-to-be-found"),
    "a type and a tag": FileQuery(mime="image/*", tags=("rare",)),
    "sizes": FileQuery(larger=(1 << 30) - 200_000),
    "a month": FileQuery("winter", since=EPOCH_S, before=EPOCH_S + 30 * 86_400),
    "all together": FileQuery("draft", "application/pdf", ("kept",), "file", 1 << 29, 1 << 30, EPOCH_S + YEAR_S // 2),
}
ENTERED = Work(f"catalogue: files entered, {FILES:,} in all", "files/s", place=TMPFS)


def searched(what: str) -> Work:
    """One search for a hundred files at most, in the middle of five."""
    return Work(f"catalogue of {FILES:,}: search for {what}", "ms", Better.LESS, TMPFS)
