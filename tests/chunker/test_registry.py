from __future__ import annotations

import pytest

from chiral.chunker.fixed import FixedChunker
from chiral.chunker.registry import parse_chunker
from chiral.errors import UsageError


@pytest.mark.parametrize(("name", "size"), [("default", 262_144), ("size-262144", 262_144), ("size-1024", 1024)])
def test_known_names(name: str, size: int) -> None:
    assert parse_chunker(name) == FixedChunker(size)
    assert parse_chunker(parse_chunker(name).name) == FixedChunker(size)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "size",
        "size-",
        "size-x",
        "size--1",
        "size-1",
        "size-1e6",
        "size-٣٣٣٣",
        "size-99999999999999999999",
        "cdc",
        "SIZE-1024",
    ],
)
def test_unknown_names(name: str) -> None:
    with pytest.raises(UsageError):
        parse_chunker(name)
