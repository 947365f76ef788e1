"""Names of splitting rules, as Kubo writes them: `size-262144`, and beside it `default`, `adaptive` and `cdc`."""

from __future__ import annotations

import re

from chiral.chunker.adaptive import AdaptiveChunker
from chiral.chunker.fixed import FixedChunker
from chiral.chunker.splitter import Chunker
from chiral.errors import UsageError

DEFAULT_CHUNKER = "default"
_SIZE = re.compile(r"size-([0-9]{1,12})", re.ASCII)
_CDC = re.compile(r"cdc(?:-([0-9]{1,12})-([0-9]{1,12})-([0-9]{1,12}))?", re.ASCII)


def parse_chunker(name: str) -> Chunker:
    """The rule that `name` stands for; raises `UsageError`."""
    if name == DEFAULT_CHUNKER:
        return FixedChunker()
    if name == AdaptiveChunker().name:
        return AdaptiveChunker()
    if fixed := _SIZE.fullmatch(name):
        return FixedChunker(int(fixed[1]))
    if cdc := _CDC.fullmatch(name):
        from chiral.chunker.content_defined import ContentDefinedChunker  # the library is loaded on use

        sizes = [int(size) for size in cdc.groups() if size]
        return ContentDefinedChunker(*sizes)
    raise UsageError(
        f"{name[:80]!r} is not a way to cut files", hint="'default', 'size-BYTES', 'adaptive' and 'cdc' are"
    )
