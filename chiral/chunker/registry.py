"""Names of splitting rules, as Kubo writes them: `size-262144`, or `default`."""

from __future__ import annotations

from chiral.chunker.fixed import FixedChunker
from chiral.chunker.splitter import Chunker
from chiral.errors import UsageError

DEFAULT_CHUNKER = "default"
_MAX_DIGITS = 12


def parse_chunker(name: str) -> Chunker:
    """The rule that `name` stands for; raises `UsageError`."""
    if name == DEFAULT_CHUNKER:
        return FixedChunker()
    kind, _, argument = name.partition("-")
    if kind == "size" and argument.isascii() and argument.isdigit() and len(argument) <= _MAX_DIGITS:
        return FixedChunker(int(argument))
    raise UsageError(f"{name[:80]!r} is not a way to cut files", hint="'default' and 'size-BYTES' are")
