from __future__ import annotations

import pytest

from chiral.chunker.adaptive import AdaptiveChunker
from chiral.chunker.content_defined import ContentDefinedChunker
from chiral.chunker.fixed import FixedChunker
from chiral.chunker.registry import parse_chunker
from chiral.chunker.splitter import Chunker
from chiral.errors import UsageError


@pytest.mark.parametrize(("name", "size"), [("default", 262_144), ("size-262144", 262_144), ("size-1024", 1024)])
def test_known_names(name: str, size: int) -> None:
    assert parse_chunker(name) == FixedChunker(size)
    assert parse_chunker(parse_chunker(name).name) == FixedChunker(size)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("adaptive", AdaptiveChunker()),
        ("cdc", ContentDefinedChunker()),
        ("cdc-1024-4096-16384", ContentDefinedChunker(1024, 4096, 16_384)),
    ],
)
def test_other_rules(name: str, rule: Chunker) -> None:
    assert parse_chunker(name) == rule
    assert parse_chunker(rule.name) == rule


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
        "cdc-",
        "cdc-1-2",
        "cdc-4096-1024-8192",
        "cdc-1024-4096-99999999",
        "rabin-262144",
        "SIZE-1024",
    ],
)
def test_unknown_names(name: str) -> None:
    with pytest.raises(UsageError):
        parse_chunker(name)
